//! Where IP addresses are, by a file of the operator's in the format of `MaxMind`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maxminddb::{MaxMindDbError, Reader, path};

/// The file, or nothing. Clones are of the same.
#[derive(Clone, Default)]
pub struct Locator(Option<Arc<Reader<Vec<u8>>>>);

/// Where an address is, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// City and country, for people.
    pub text: String,
    /// As in ISO 3166-1.
    pub country_code: String,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "locate.database {path}: {source}; name a file in MaxMind's format that the supervisor may read, or none"
)]
pub struct LocateError {
    path: PathBuf,
    source: MaxMindDbError,
}

impl Locator {
    /// Reads the file into memory. Without one, nobody knows where any address is.
    pub fn open(file: Option<&Path>) -> Result<Self, LocateError> {
        let reader = file.map(|path| {
            Reader::open_readfile(path)
                .map_err(|source| LocateError { path: path.to_owned(), source })
        });
        Ok(Self(reader.transpose()?.map(Arc::new)))
    }

    /// Where an address is. What can't be found out is empty.
    pub fn place(&self, address: IpAddr) -> Place {
        self.0.as_deref().and_then(|reader| find(reader, address)).unwrap_or_default()
    }
}

fn find(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<Place> {
    let found = reader.lookup(address).ok()?;
    let text = |of: &str| {
        let name = found.decode_path::<String>(&path![of, "names", "en"]);
        name.ok().flatten().filter(|name| !name.is_empty())
    };
    let names: Vec<_> = ["city", "country"].into_iter().filter_map(text).collect();
    let code = found.decode_path::<String>(&path!["country", "iso_code"]);
    Some(Place { text: names.join(", "), country_code: code.ok().flatten().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_nobody_knows() {
        let locator = Locator::open(None).unwrap();
        assert_eq!(locator.place([1, 1, 1, 1].into()), Place::default());
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("city.mmdb");
        let missing = Locator::open(Some(&path)).map(drop).unwrap_err().to_string();
        std::fs::write(&path, "no database").unwrap();
        let malformed = Locator::open(Some(&path)).map(drop).unwrap_err().to_string();
        for error in [missing, malformed] {
            assert!(error.contains("locate.database") && error.contains("city.mmdb"), "{error}");
        }
    }
}
