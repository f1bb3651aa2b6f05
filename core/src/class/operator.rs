use serde::Serialize;

use super::check::check_class;
use super::spec::{Class, Cloud};
use super::violation::{FixedBy, Violation};

/// The cloud and tenant that an operator can serve. [`Default`] is an operator of which nothing is known,
/// as for `podid plan`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OperatorEnvironment {
    /// Cloud that the operator talks to, where it is known.
    pub cloud: Option<Cloud>,
    /// Tenant of the operator's own identity, a GUID, where it is known.
    pub tenant_id: Option<String>,
}

impl OperatorEnvironment {
    /// Why this operator cannot use a class; empty when it can, as far as is known without a call to
    /// Azure.
    #[must_use]
    pub fn violations(&self, class: &Class) -> Vec<Violation> {
        let mut violations = check_class(class);
        if let Some(own) = self.cloud.filter(|own| *own != class.cloud) {
            let why = format!("is another cloud than the operator's, {}", own.as_str());
            violations.push(wrong("spec.cloud", class.cloud.as_str(), why));
        }
        let other = |own: &&String| !own.eq_ignore_ascii_case(&class.tenant_id);
        if let Some(own) = self.tenant_id.as_ref().filter(other) {
            let why = format!("is another tenant than that of the operator's identity, {own}");
            violations.push(wrong("spec.tenantId", &class.tenant_id, why));
        }
        violations
    }
}

fn wrong(field: &str, value: &str, why: String) -> Violation {
    Violation {
        field: field.to_owned(),
        value: value.to_owned(),
        why,
        fixed_by: FixedBy::Author,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::admit::tests::class;

    fn fields(environment: &OperatorEnvironment) -> Vec<String> {
        let violations = environment.violations(&class());
        violations.into_iter().map(|found| found.field).collect()
    }

    #[test]
    fn a_class_of_another_cloud_or_tenant_cannot_be_used() {
        let own = OperatorEnvironment {
            cloud: Some(Cloud::AzurePublicCloud),
            tenant_id: Some("TENANT".into()),
        };
        assert!(fields(&own).is_empty(), "tenants are GUIDs");
        let other = OperatorEnvironment {
            cloud: Some(Cloud::AzureChinaCloud),
            tenant_id: Some("other".into()),
        };
        assert_eq!(fields(&other), ["spec.cloud", "spec.tenantId"]);
        let said = other.violations(&class())[0].to_string();
        assert!(said.contains("AzurePublicCloud") && said.contains("AzureChinaCloud"));
    }

    #[test]
    fn nothing_is_held_against_a_class_by_an_operator_of_which_nothing_is_known() {
        assert!(fields(&OperatorEnvironment::default()).is_empty());
    }
}
