//! What can be sealed: a value that is bytes, and that bytes are again.

use std::borrow::Cow;

use zeroize::Zeroize;

/// A value with one form in bytes.
///
/// # Contract
/// `from_plain` of what `to_plain` gave is the same value, in every later version too: the bytes
/// are stored. `from_plain` refuses bytes that `to_plain` never gives, as far as it can tell, and
/// neither panics nor allocates more than they are long. The value can be wiped.
///
/// # Implementing
/// Texts and byte strings are their bytes, integers are big-endian, arrays have their length.
/// ```
/// use std::borrow::Cow;
///
/// use crypto_envelope::Sealable;
/// use zeroize::Zeroize;
///
/// /// Hundredths of a unit of money.
/// struct Cents(i64);
///
/// impl Zeroize for Cents {
///     fn zeroize(&mut self) {
///         self.0.zeroize();
///     }
/// }
/// impl Sealable for Cents {
///     fn to_plain(&self) -> Cow<'_, [u8]> {
///         self.0.to_plain()
///     }
///     fn from_plain(plain: &[u8]) -> Option<Self> {
///         i64::from_plain(plain).map(Self)
///     }
/// }
/// assert_eq!(Cents::from_plain(&Cents(-5).to_plain()).map(|cents| cents.0), Some(-5));
/// assert!(Cents::from_plain(b"5").is_none());
/// ```
pub trait Sealable: Zeroize + Sized {
    /// Its bytes: lent, or made and then wiped by whoever asked.
    fn to_plain(&self) -> Cow<'_, [u8]>;
    /// The value of these bytes; `None` when they are no such value.
    fn from_plain(plain: &[u8]) -> Option<Self>;
}

impl Sealable for String {
    fn to_plain(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }

    fn from_plain(plain: &[u8]) -> Option<Self> {
        std::str::from_utf8(plain).ok().map(str::to_owned)
    }
}

impl Sealable for Vec<u8> {
    fn to_plain(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }

    fn from_plain(plain: &[u8]) -> Option<Self> {
        Some(plain.to_vec())
    }
}

impl<const N: usize> Sealable for [u8; N] {
    fn to_plain(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }

    fn from_plain(plain: &[u8]) -> Option<Self> {
        plain.try_into().ok()
    }
}

/// One byte, 0 or 1.
impl Sealable for bool {
    fn to_plain(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(if *self { &[1] } else { &[0] })
    }

    fn from_plain(plain: &[u8]) -> Option<Self> {
        match plain {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

macro_rules! big_endian {
    ($($int:ty),+) => {$(
        impl Sealable for $int {
            fn to_plain(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.to_be_bytes().to_vec())
            }

            fn from_plain(plain: &[u8]) -> Option<Self> {
                plain.try_into().ok().map(Self::from_be_bytes)
            }
        }
    )+};
}
big_endian!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn check<T: Sealable + PartialEq + Debug>(value: T, bytes: &[u8], others: &[&[u8]]) {
        assert_eq!(*value.to_plain(), *bytes, "{value:?}");
        assert_eq!(T::from_plain(bytes), Some(value));
        for other in others {
            assert_eq!(T::from_plain(other), None, "{other:?}");
        }
    }

    #[test]
    fn each_type_has_one_form_and_refuses_others() {
        check(String::from("zoë"), b"zo\xc3\xab", &[b"\xff", b"zo\xc3"]);
        check(String::new(), b"", &[b"\x80"]);
        check(vec![0_u8, 255], b"\x00\xff", &[]);
        check([1_u8, 2, 3], b"\x01\x02\x03", &[b"", b"\x01\x02", b"1234"]);
        check(true, b"\x01", &[b"", b"\x02", b"\x01\x01"]);
        check(false, b"\x00", &[b"\x00\x00"]);
        check(7_u8, b"\x07", &[b"", b"\x00\x07"]);
        check(0x0102_u16, b"\x01\x02", &[b"\x01", b"\x01\x02\x03"]);
        check(-2_i32, b"\xff\xff\xff\xfe", &[b"\xfe"]);
        check(i64::MIN, b"\x80\0\0\0\0\0\0\0", &[b"\x80"]);
        check(1_u128, &1_u128.to_be_bytes(), &[b"1"]);
    }

    #[test]
    fn a_number_is_its_own_again() {
        use proptest::prelude::*;
        proptest!(|(a: u32, b: i16, c: i128, d: u64, text: String, bytes: Vec<u8>)| {
            prop_assert_eq!(u32::from_plain(&a.to_plain()), Some(a));
            prop_assert_eq!(i16::from_plain(&b.to_plain()), Some(b));
            prop_assert_eq!(i128::from_plain(&c.to_plain()), Some(c));
            prop_assert_eq!(u64::from_plain(&d.to_plain()), Some(d));
            prop_assert_eq!(String::from_plain(&text.to_plain()), Some(text.clone()));
            prop_assert_eq!(Vec::from_plain(&bytes.to_plain()), Some(bytes.clone()));
            // whatever is taken is what it would give
            if let Some(text) = String::from_plain(&bytes) {
                prop_assert_eq!(&*text.to_plain(), &bytes[..]);
            }
        });
    }
}
