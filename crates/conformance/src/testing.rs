//! Subjects to test scenarios and the kit itself with: an honest model in memory that can be
//! sabotaged, and toys that are wrong in one simple way.

mod model;
mod toys;
mod trial;

pub use model::{ModelFactory, ModelOneWayOpen};
pub use toys::{Toy, ToyFactory};
pub use trial::{load, trial};
