//! The releases of Kubernetes that the cluster ring is run on, and what of it is left out on which.

use clap::ValueEnum;

/// A release of Kubernetes, as `podid-lab up --kubernetes` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Release {
    /// The oldest that podid works on.
    #[value(name = "1.30")]
    V1_30,
    /// One between.
    #[value(name = "1.33")]
    V1_33,
    /// The newest that podid is tried with.
    #[value(name = "1.36")]
    V1_36,
}

/// Tests that do not run before a release.
pub(super) struct LeftOut {
    /// What the names of the tests begin with.
    pub(super) tests: &'static str,
    /// The first release on which they run.
    from: Release,
    pub(super) reason: &'static str,
}

const fn before(from: Release, tests: &'static str, reason: &'static str) -> LeftOut {
    LeftOut {
        tests,
        from,
        reason,
    }
}

/// What would take minutes and show little that the rest does not.
const OWN_LABS: &str = "starts labs of its own, for what podid's programs do; policies, kinds and rights are tried by the others";

const NO_MUTATION: &str = "needs MutatingAdmissionPolicy v1, which Kubernetes has from 1.36 on";

/// All that an older release does not run.
const LEFT_OUT: [LeftOut; 17] = [
    before(Release::V1_36, "net_raw::dropping::", NO_MUTATION),
    before(
        Release::V1_36,
        "net_raw::beside::the_drop_that_is_added_does_not_pass_for_what_restricted_asks",
        NO_MUTATION,
    ),
    before(
        Release::V1_36,
        "net_raw::beside::what_another_engine_takes_away_or_adds_gets_the_drop_in_whatever_order_they_run",
        NO_MUTATION,
    ),
    before(
        Release::V1_36,
        "net_raw::beside::an_engine_that_takes_the_drop_away_again_has_the_pod_refused",
        NO_MUTATION,
    ),
    before(
        Release::V1_36,
        "net_raw::beside::a_sidecar_of_a_webhook_gets_the_drop",
        NO_MUTATION,
    ),
    before(
        Release::V1_33,
        "net_raw::agreement::a_user_namespace_excuses_nothing",
        "before Kubernetes 1.33 pods have no user namespaces unless a feature gate is set",
    ),
    before(
        Release::V1_33,
        "net_raw::doors::a_resize_binds_no_pod",
        "before Kubernetes 1.33 the resources of a running pod cannot be changed",
    ),
    before(
        Release::V1_36,
        "stolen_daemon::as_node::",
        "needs constrained impersonation, which Kubernetes has from 1.36 on",
    ),
    before(
        Release::V1_36,
        "net_raw::doors::other_labels_of_a_placement_are_copied",
        "before Kubernetes 1.35 no label of a Binding is copied",
    ),
    before(
        Release::V1_33,
        "kinds::profiles_are_selected_by_class",
        "before Kubernetes 1.31 a kind has no fields to select by; podid's programs use none",
    ),
    before(Release::V1_36, "aks::", OWN_LABS),
    before(Release::V1_36, "assignment::", OWN_LABS),
    before(Release::V1_36, "bench::", OWN_LABS),
    before(Release::V1_36, "chart::", OWN_LABS),
    before(Release::V1_36, "flux::", OWN_LABS),
    before(Release::V1_36, "migration::", OWN_LABS),
    before(Release::V1_36, "profile_life::", OWN_LABS),
];

impl Release {
    /// Those of a run that chooses none: all tests on the newest, then the oldest.
    pub(super) const ENDS: [Self; 2] = [Self::V1_36, Self::V1_30];

    /// As the lab and the tests call it.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::V1_30 => "1.30",
            Self::V1_33 => "1.33",
            Self::V1_36 => "1.36",
        }
    }

    /// Its control plane, as `podid-lab tools` calls it.
    pub(super) fn tools(self) -> &'static str {
        match self {
            Self::V1_30 => "kubernetes-1-30",
            Self::V1_33 => "kubernetes-1-33",
            Self::V1_36 => "kubernetes",
        }
    }

    /// What does not run on it.
    pub(super) fn left_out(self) -> impl Iterator<Item = &'static LeftOut> {
        LEFT_OUT.iter().filter(move |left| self < left.from)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_release_is_chosen_by_its_version() {
        for release in Release::value_variants() {
            let value = release.to_possible_value().unwrap();
            assert_eq!(value.get_name(), release.version());
        }
    }

    #[test]
    fn nothing_is_left_out_on_the_newest() {
        assert_eq!(Release::V1_36.left_out().count(), 0);
        assert_eq!(Release::V1_30.left_out().count(), LEFT_OUT.len());
    }

    #[test]
    fn what_is_left_out_is_in_the_ring() {
        let ring = Path::new("../tests/tests/cluster");
        for left in &LEFT_OUT {
            let (module, test) = left.tests.rsplit_once("::").unwrap();
            let file = ring.join(module.replace("::", "/"));
            let text = fs::read_to_string(file.with_extension("rs"))
                .or_else(|_| fs::read_to_string(file.join("mod.rs")));
            let is_there = match test {
                "" => text.is_ok(),
                test => text.is_ok_and(|text| text.contains(&format!("fn {test}("))),
            };
            assert!(is_there, "{}", left.tests);
        }
    }
}
