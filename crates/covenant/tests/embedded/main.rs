//! What the assembly promises on the embedded stores, a file a behaviour.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod common;
#[cfg(test)]
mod one_record_goes_the_whole_way;
