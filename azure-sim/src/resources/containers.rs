//! Resource groups, and the resources that hold data.

use crate::ids::ResourceId;

/// A resource group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) subscription: String,
    pub(crate) name: String,
    pub(crate) location: String,
}

/// A key vault or storage account.
#[derive(Clone, Debug)]
pub(crate) struct DataStore<T> {
    pub(crate) id: ResourceId,
    pub(crate) location: String,
    pub(crate) content: T,
}
