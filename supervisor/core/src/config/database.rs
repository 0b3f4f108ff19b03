//! Where the database is, when its path may be relative or not be written at all.

use std::path::Path;

use super::layers::Layers;
use super::{Database, keys};

/// The file of the embedded database, in the data directory.
const FILE_NAME: &str = "outboard.db";

pub(super) fn read(layers: &mut Layers<'_>, data_dir: &Path) -> Database {
    match layers.read_written(&keys::DATABASE_URL) {
        None => Database::Sqlite(data_dir.join(FILE_NAME)),
        Some((Database::Sqlite(path), is_in_file)) => {
            Database::Sqlite(layers.absolute(&path, is_in_file))
        }
        Some((postgres @ Database::Postgres(_), _)) => postgres,
    }
}
