//! Changes of an object's value.

use serde_json::Value;

/// One change of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Edit {
    /// The field gets this value.
    Set(Vec<&'static str>, Value),
    /// An entry of a mapping gets this value.
    SetKey(Vec<&'static str>, String, Value),
    /// The field is taken away, and with it what it leaves empty.
    Unset(Vec<String>),
    /// The list gets one item more, unless it has it.
    Add(Vec<&'static str>, Value),
    /// The list loses this item.
    Remove(Vec<&'static str>, Value),
}

/// Why a text is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error("it has no {0}")]
    Nothing(String),
    #[error(
        "it cannot be changed at {0} without touching more than that (an alias, a merge key, or an \
         unusual layout); change it by hand"
    )]
    Layout(String),
}

impl Edit {
    /// The field, as `spec.access`.
    pub(super) fn field(&self) -> String {
        match self {
            Self::Set(path, _) | Self::Add(path, _) | Self::Remove(path, _) => path.join("."),
            Self::SetKey(path, key, _) => format!("{}.{key}", path.join(".")),
            Self::Unset(path) => path.join("."),
        }
    }

    pub(super) fn path(&self) -> Vec<String> {
        match self {
            Self::Set(path, _) | Self::Add(path, _) | Self::Remove(path, _) => owned(path),
            Self::SetKey(path, key, _) => {
                let mut path = owned(path);
                path.push(key.clone());
                path
            }
            Self::Unset(path) => path.clone(),
        }
    }

    /// The change of the value.
    pub(super) fn in_value(&self, root: &mut Value) -> Result<(), EditError> {
        let path = self.path();
        let nothing = || EditError::Nothing(self.field());
        match self {
            Self::Set(_, value) | Self::SetKey(_, _, value) => *make(root, &path) = value.clone(),
            Self::Add(_, item) => {
                let list = make(root, &path);
                if list.is_null() {
                    *list = Value::Array(Vec::new());
                }
                let items = list.as_array_mut().ok_or_else(nothing)?;
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
            Self::Remove(_, item) => {
                let pointer = format!("/{}", path.join("/"));
                let items = root.pointer_mut(&pointer).and_then(Value::as_array_mut);
                let items = items.ok_or_else(nothing)?;
                let at = items.iter().position(|found| found == item);
                items.remove(at.ok_or_else(nothing)?);
                if items.is_empty() {
                    remove(root, &path).ok_or_else(nothing)?;
                }
            }
            Self::Unset(_) => remove(root, &path).ok_or_else(nothing)?,
        }
        Ok(())
    }
}

fn owned(path: &[&'static str]) -> Vec<String> {
    path.iter().map(|&key| key.to_owned()).collect()
}

/// The value at this path, made where it is missing.
fn make<'a>(root: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(root, |value, key| {
        if !value.is_object() {
            *value = Value::Object(serde_json::Map::new());
        }
        &mut value[key]
    })
}

/// Takes a field away, and mappings that it leaves empty.
fn remove(value: &mut Value, path: &[String]) -> Option<()> {
    let (key, rest) = path.split_first()?;
    let fields = value.as_object_mut()?;
    if rest.is_empty() {
        return fields.shift_remove(key).map(|_| ());
    }
    let inner = fields.get_mut(key)?;
    remove(inner, rest)?;
    if inner.as_object().is_some_and(serde_json::Map::is_empty) {
        fields.shift_remove(key);
    }
    Some(())
}
