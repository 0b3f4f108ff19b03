//! What all parts have in common.

/// Declares the part of a [`Store`](crate::Store) that its methods hang on.
macro_rules! handle {
    ($(#[$attribute:meta])* $name:ident) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            pub(crate) store: &'a $crate::Store,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(store: &'a $crate::Store) -> Self {
                Self { store }
            }

            /// Makes a driver's error one for an operator; `doing` completes "could not …".
            pub(crate) fn told<T>(
                self,
                doing: &str,
                result: Result<T, sqlx::Error>,
            ) -> Result<T, $crate::StoreError> {
                result.map_err(|error| self.store.failed(doing, &error))
            }
        }
    };
}

pub(crate) use handle;

/// A list of names, as it is stored.
pub(super) fn names_stored(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}

/// A list of names, as it was stored. Only ever written by [`names_stored`].
pub(super) fn names_read(stored: &str) -> Vec<String> {
    serde_json::from_str(stored).unwrap_or_default()
}

/// Free properties, as they were stored. Only ever written from such a map.
pub(super) fn properties_read(stored: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(stored).unwrap_or_default()
}

/// Free properties, as they are stored.
pub(super) fn properties_stored(properties: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(properties).unwrap_or_else(|_| "{}".to_owned())
}

/// A count, as it was stored.
pub(super) fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}
