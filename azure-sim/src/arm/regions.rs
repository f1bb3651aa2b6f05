//! Regions that a subscription can use.

/// Names and display names: regions of the public cloud, and one each of two other clouds.
const REGIONS: &[(&str, &str)] = &[
    ("australiaeast", "Australia East"),
    ("australiasoutheast", "Australia Southeast"),
    ("brazilsouth", "Brazil South"),
    ("canadacentral", "Canada Central"),
    ("canadaeast", "Canada East"),
    ("centralindia", "Central India"),
    ("centralus", "Central US"),
    ("eastasia", "East Asia"),
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("francecentral", "France Central"),
    ("germanywestcentral", "Germany West Central"),
    ("italynorth", "Italy North"),
    ("japaneast", "Japan East"),
    ("japanwest", "Japan West"),
    ("koreacentral", "Korea Central"),
    ("northcentralus", "North Central US"),
    ("northeurope", "North Europe"),
    ("norwayeast", "Norway East"),
    ("polandcentral", "Poland Central"),
    ("southafricanorth", "South Africa North"),
    ("southcentralus", "South Central US"),
    ("southeastasia", "Southeast Asia"),
    ("southindia", "South India"),
    ("spaincentral", "Spain Central"),
    ("swedencentral", "Sweden Central"),
    ("switzerlandnorth", "Switzerland North"),
    ("uaenorth", "UAE North"),
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("westcentralus", "West Central US"),
    ("westeurope", "West Europe"),
    ("westus", "West US"),
    ("westus2", "West US 2"),
    ("westus3", "West US 3"),
    ("usgovvirginia", "USGov Virginia"),
    ("chinanorth3", "China North 3"),
];

/// All regions, with names and display names. `own`, the region of the seed, is one of them even if
/// Azure has no such region.
pub(super) fn including(own: &str) -> impl Iterator<Item = (&str, &str)> {
    let unknown = REGIONS
        .iter()
        .all(|(name, _)| !name.eq_ignore_ascii_case(own))
        .then_some((own, own));
    REGIONS.iter().copied().chain(unknown)
}
