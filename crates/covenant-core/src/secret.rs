//! Secrets: filled in place, never printed, wiped on drop.

use std::fmt;

use zeroize::Zeroize;

/// A secret that is wiped when dropped. What `ring` makes of it (expanded keys) is not wiped.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of the value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Lends the value; whoever copies it out is responsible for the copy.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Lends the value to be filled in place.
    pub const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let mut secret = Secret::new(vec![0xab_u8; 4]);
        assert_eq!(format!("{secret:?} {secret:#?}"), "[secret] [secret]");
        secret.expose_mut().push(1);
        assert_eq!(secret.expose().len(), 5);
    }

    #[test]
    fn a_secret_is_wiped_once_when_dropped() {
        static WIPED: AtomicUsize = AtomicUsize::new(0);
        struct Counted;
        impl Zeroize for Counted {
            fn zeroize(&mut self) {
                WIPED.fetch_add(1, Ordering::Relaxed);
            }
        }
        let secret = Secret::new(Counted);
        assert_eq!(WIPED.load(Ordering::Relaxed), 0);
        drop(secret);
        assert_eq!(WIPED.load(Ordering::Relaxed), 1);
    }
}
