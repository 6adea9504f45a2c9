//! The address of a token: a PKCS #11 URI (RFC 7512), of which the parts are read that say where a
//! token is and where its PIN lies. A PIN in the address itself is refused: addresses are logged.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Longest address in bytes: a bound of ours.
const URL_LEN_BYTES_MAX: usize = 4_096;

/// `pkcs11:token=LABEL[;serial=NUMBER]?module-path=/PATH&pin-source=file:/PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Url {
    token: String,
    serial: Option<String>,
    module: PathBuf,
    pin: PathBuf,
}

/// A text is no address of a token that can be honoured; the text says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a token: {0}")]
pub struct Pkcs11UrlError(&'static str);

impl Pkcs11Url {
    /// The label of the token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The serial number of the token, when it must have one.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    /// The library of the module.
    #[must_use]
    pub fn module(&self) -> &std::path::Path {
        &self.module
    }

    /// The file that holds the PIN.
    #[must_use]
    pub fn pin(&self) -> &std::path::Path {
        &self.pin
    }
}

impl FromStr for Pkcs11Url {
    type Err = Pkcs11UrlError;

    fn from_str(text: &str) -> Result<Self, Pkcs11UrlError> {
        if text.len() > URL_LEN_BYTES_MAX {
            return Err(Pkcs11UrlError("it is too long"));
        }
        let rest = text
            .strip_prefix("pkcs11:")
            .ok_or(Pkcs11UrlError("it does not begin with pkcs11:"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut serial, mut module, mut pin) = (None, None, None, None);
        for (part, separator) in [(path, ';'), (query, '&')] {
            for pair in part.split(separator).filter(|pair| !pair.is_empty()) {
                let (name, value) = pair
                    .split_once('=')
                    .ok_or(Pkcs11UrlError("a part has no value"))?;
                let place = match (separator, name) {
                    (';', "token") => &mut token,
                    (';', "serial") => &mut serial,
                    ('&', "module-path") => &mut module,
                    ('&', "pin-source") => &mut pin,
                    ('&', "pin-value") => {
                        return Err(Pkcs11UrlError("a PIN lies in a file, not in an address"));
                    }
                    _ => return Err(Pkcs11UrlError("a part is not known")),
                };
                if place.replace(decoded(value)?).is_some() {
                    return Err(Pkcs11UrlError("a part stands twice"));
                }
            }
        }
        let token = token.filter(|token| !token.is_empty());
        let pin = pin.ok_or(Pkcs11UrlError("pin-source is missing"))?;
        Ok(Self {
            token: token.ok_or(Pkcs11UrlError("token is missing"))?,
            serial,
            module: absolute(&module.ok_or(Pkcs11UrlError("module-path is missing"))?)?,
            pin: absolute(pin.strip_prefix("file:").unwrap_or(&pin))?,
        })
    }
}

impl fmt::Display for Pkcs11Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} of {}", self.token, self.module.display())
    }
}

/// A path that does not depend on where the process was started, nor on a search path.
fn absolute(path: &str) -> Result<PathBuf, Pkcs11UrlError> {
    if path.starts_with('/') && !path.starts_with("//") {
        Ok(PathBuf::from(path))
    } else {
        Err(Pkcs11UrlError("a path is not absolute"))
    }
}

fn decoded(text: &str) -> Result<String, Pkcs11UrlError> {
    let wrong = Pkcs11UrlError("a percent sign without two digits");
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(wrong);
        };
        let value = high.saturating_mul(16).saturating_add(low);
        out.push(u8::try_from(value).or(Err(wrong))?);
    }
    String::from_utf8(out).or(Err(Pkcs11UrlError("it is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_label_a_module_and_a_pin() {
        let url: Pkcs11Url = "pkcs11:token=key%20store;serial=0a1b?module-path=/usr/lib/m.so&pin-source=file:/run/pin"
            .parse()
            .expect("an address");
        assert_eq!((url.token(), url.serial()), ("key store", Some("0a1b")));
        assert_eq!(url.module(), std::path::Path::new("/usr/lib/m.so"));
        assert_eq!(url.pin(), std::path::Path::new("/run/pin"));
        assert_eq!(url.to_string(), "token key store of /usr/lib/m.so");
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let check = |text: &str, why| {
            assert_eq!(
                text.parse::<Pkcs11Url>(),
                Err(Pkcs11UrlError(why)),
                "{text}"
            );
        };
        let good = "pkcs11:token=a?module-path=/m&pin-source=/p";
        assert!(good.parse::<Pkcs11Url>().is_ok());
        check("pkcs12:token=a", "it does not begin with pkcs11:");
        check(
            &format!("{good}{}", "x".repeat(URL_LEN_BYTES_MAX)),
            "it is too long",
        );
        check("pkcs11:?module-path=/m&pin-source=/p", "token is missing");
        check(
            "pkcs11:token=?module-path=/m&pin-source=/p",
            "token is missing",
        );
        check("pkcs11:token=a?pin-source=/p", "module-path is missing");
        check("pkcs11:token=a?module-path=/m", "pin-source is missing");
        check(
            "pkcs11:token=a?module-path=/m&pin-value=1",
            "a PIN lies in a file, not in an address",
        );
        check(
            "pkcs11:token=a;object=k?module-path=/m&pin-source=/p",
            "a part is not known",
        );
        check(
            "pkcs11:token=a;token=b?module-path=/m&pin-source=/p",
            "a part stands twice",
        );
        check("pkcs11:token?module-path=/m", "a part has no value");
        check(
            "pkcs11:token=%4?module-path=/m",
            "a percent sign without two digits",
        );
        check("pkcs11:token=%ff?module-path=/m", "it is not UTF-8");
        for path in ["m.so", "", "//host/m", "%7ccommand"] {
            let text = format!("pkcs11:token=a?module-path={path}&pin-source=/p");
            check(&text, "a path is not absolute");
            let text = format!("pkcs11:token=a?module-path=/m&pin-source={path}");
            check(&text, "a path is not absolute");
        }
    }
}
