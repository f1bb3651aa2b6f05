//! A profile that lives through a history, and what must be so afterwards.

use std::collections::{BTreeMap, BTreeSet};

use podid_azure::{IdentityId, RoleAssignment, UserAssignedIdentity};
use podid_core::owner::Owner;
use podid_core::role::Role;
use serde_json::json;

use super::history::{Deed, Happening, SCOPES, Spec};
use crate::profile::tests::fixture::Fixture;
use crate::profile::tests::is_ready;

/// Looks within which all is done once nothing goes wrong any more.
const LOOKS: usize = 10;

/// One profile, and those who share Azure with it.
pub(super) struct World {
    fixture: Fixture,
    retains: bool,
    /// What the author committed last; `None` before the first time.
    spec: Option<Spec>,
    profiles_made: u32,
    /// Principals of the identities that others made, by name.
    identities_by_hand: BTreeMap<String, String>,
    /// Ids of the role assignments that others made.
    assignments_by_hand: BTreeSet<String>,
    /// Ids of the role assignments that were kept when an earlier profile went. Nothing tells the next where they are,
    /// until it asks for a role there.
    kept: BTreeSet<String>,
    /// How much was made by hand.
    made_by_hand: u32,
}

impl World {
    pub(super) fn new(retains: bool) -> Self {
        let fixture = Fixture::without_profile();
        Self {
            fixture,
            retains,
            spec: None,
            profiles_made: 0,
            identities_by_hand: BTreeMap::new(),
            assignments_by_hand: BTreeSet::new(),
            kept: BTreeSet::new(),
            made_by_hand: 0,
        }
    }

    pub(super) async fn live(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::Commit(spec) => self.commit(spec),
            Happening::Delete if self.fixture.is_there() => self.fixture.delete(),
            Happening::Delete => {}
            Happening::ByHand(deed) => self.do_by_hand(deed),
            Happening::Narrow(scopes, revokes) => self.allow(scopes, *revokes),
            Happening::Troubles(troubles) => self.fixture.troubles(troubles),
            Happening::End(calls) => {
                self.fixture.end_after(*calls);
                self.look().await;
                self.fixture.start_anew();
            }
            Happening::Look => self.look().await,
        }
        self.nothing_of_others_is_gone()
    }

    /// Nothing goes wrong any more, the class allows all, and the author wants all done.
    pub(super) async fn come_to_rest(&mut self) -> Result<(), String> {
        self.fixture.troubles(&[]);
        self.fixture.start_anew();
        self.allow(&SCOPES, false);
        let is_deleted = !self.fixture.is_there() || self.is_being_deleted();
        if let Some(spec) = self.spec.clone().filter(|_| !is_deleted) {
            self.commit(&Spec {
                observes: false,
                suspended: false,
                ..spec
            });
        }
        for _ in 0..LOOKS {
            self.fixture.forget_calls();
            self.look().await;
            self.nothing_of_others_is_gone()?;
            let writes = self.fixture.writes();
            match (is_deleted, self.fixture.is_there()) {
                (true, true) => {}
                (true, false) => return self.nothing_is_left(),
                (false, _) if writes.is_empty() => return self.all_is_as_desired(),
                (false, _) => {}
            }
        }
        Err(format!(
            "not at rest after {LOOKS} looks: {:?}",
            self.fixture.calls()
        ))
    }

    fn commit(&mut self, spec: &Spec) {
        let written = spec.written(self.retains);
        match self.fixture.is_there() {
            true => self.fixture.change(written),
            false => {
                self.profiles_made += 1;
                self.kept = self.made().into_iter().map(|one| one.id).collect();
                self.fixture.make(&self.uid(), written);
            }
        }
        self.spec = Some(spec.clone());
    }

    fn uid(&self) -> String {
        format!("u{}", self.profiles_made)
    }

    fn is_being_deleted(&self) -> bool {
        self.fixture.profile().metadata.deletion_timestamp.is_some()
    }

    fn allow(&mut self, scopes: &[&str], revokes: bool) {
        self.fixture.class_limits(json!({
            "namespaces": { "names": ["*"] },
            "allowNetRaw": true,
            "access": [{ "role": "Reader", "scopes": scopes }],
            "onNarrowing": if revokes { "Revoke" } else { "Keep" },
        }));
    }

    /// The controller looks at the profile, until it is done or the process ends.
    async fn look(&self) {
        if !self.fixture.is_there() {
            return;
        }
        tokio::select! {
            // What went wrong is tried again by a later look.
            _tried = self.fixture.reconcile() => {}
            () = self.fixture.ended() => {}
        }
    }

    fn do_by_hand(&mut self, deed: &Deed) {
        self.made_by_hand += 1;
        let number = self.made_by_hand;
        let (identities, assignments) =
            (&mut self.identities_by_hand, &mut self.assignments_by_hand);
        let name = self.spec.as_ref().map(|spec| spec.name);
        self.fixture.by_hand(|all, roles| match deed {
            Deed::AssignToOther(scope) => {
                let made = assignment(number, scope, "other");
                assignments.insert(made.id.clone());
                roles.push(made);
            }
            Deed::AssignEqual(scope) => {
                let Some(identity) = name.and_then(|name| all.get(name)) else {
                    return;
                };
                let made = assignment(number, scope, &identity.principal_id);
                if !roles
                    .iter()
                    .any(|one| is_of(one, &made.principal_id, scope))
                {
                    assignments.insert(made.id.clone());
                    roles.push(made);
                }
            }
            Deed::Revoke(scope) => {
                let gone = roles.extract_if(.., |one| one.scope == *scope);
                gone.for_each(|one| {
                    assignments.remove(&one.id);
                });
            }
            Deed::DeleteIdentity(name) => {
                all.remove(*name);
                identities.remove(*name);
            }
            Deed::MakeIdentityAnew(name) => {
                let principal = format!("theirs-{number}");
                all.insert((*name).to_owned(), identity(name, &principal));
                identities.insert((*name).to_owned(), principal);
            }
            Deed::RemoveTags(name) => {
                if let Some(identity) = all.get_mut(*name) {
                    identity.tags.clear();
                }
            }
        });
    }

    fn nothing_of_others_is_gone(&self) -> Result<(), String> {
        self.fixture.by_hand(|all, roles| {
            for (name, principal) in &self.identities_by_hand {
                let there = all.get(name);
                if there.is_none_or(|there| there.principal_id != *principal) {
                    return Err(format!("the identity {name} of others is gone"));
                }
            }
            let there: BTreeSet<_> = roles.iter().map(|one| one.id.clone()).collect();
            match self.assignments_by_hand.difference(&there).next() {
                Some(gone) => Err(format!("the assignment {gone} of others is gone")),
                None => Ok(()),
            }
        })
    }

    /// The role assignments that podid made.
    fn made(&self) -> Vec<RoleAssignment> {
        let roles = self.fixture.by_hand(|_, roles| roles.clone());
        let is_ours = |one: &RoleAssignment| !self.assignments_by_hand.contains(&one.id);
        roles.into_iter().filter(is_ours).collect()
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        if self.retains {
            return Ok(());
        }
        // One without tags that was never recorded might be anybody's.
        let is_marked = |name: &String| {
            let marked = |identity: &UserAssignedIdentity| !identity.tags.is_empty();
            self.fixture
                .by_hand(|all, _| all.get(name).is_some_and(marked))
        };
        let mut names = self.fixture.identities();
        names.retain(|name| is_marked(name));
        match (names, self.made()) {
            (names, made) if names.is_empty() && made.is_empty() => Ok(()),
            (names, made) => Err(format!("left of a deleted profile: {names:?}, {made:?}")),
        }
    }

    fn all_is_as_desired(&self) -> Result<(), String> {
        let Some(spec) = &self.spec else {
            return Ok(());
        };
        let (profile, found) = (
            self.fixture.profile(),
            self.fixture.by_hand(|all, _| all.get(spec.name).cloned()),
        );
        let identity = found.ok_or("the identity is not there")?;
        let owner = Owner::from_tags(&identity.tags);
        let is_ours = owner.as_ref().is_some_and(|owner| owner.uid == self.uid());
        if !is_ours && !spec.adopts {
            return match is_ready(&profile) {
                true => Err(format!("ready with an identity of {owner:?}")),
                false => Ok(()),
            };
        }
        if !is_ready(&profile) {
            return Err(format!("not ready: {:?}", profile.status));
        }
        self.roles_are_as_desired(spec, &identity)?;
        let status = profile.status.unwrap_or_default();
        let told = status.identity.map(|told| told.principal_id);
        if told.as_ref() != Some(&identity.principal_id) {
            return Err(format!("the status tells of {told:?}, not of {identity:?}"));
        }
        let told = status.role_assignments.iter().flatten();
        let told: BTreeSet<String> = told.map(|one| one.scope.clone()).collect();
        let asked: BTreeSet<String> = spec.scopes.iter().map(|&scope| scope.to_owned()).collect();
        match told == asked {
            true => Ok(()),
            false => Err(format!("the status tells of roles at {told:?}")),
        }
    }

    fn roles_are_as_desired(
        &self,
        spec: &Spec,
        identity: &UserAssignedIdentity,
    ) -> Result<(), String> {
        let all = self.fixture.by_hand(|_, roles| roles.clone());
        for scope in &spec.scopes {
            let held = all
                .iter()
                .filter(|one| is_of(one, &identity.principal_id, scope));
            match held.count() {
                1 => {}
                count => return Err(format!("{count} assignments at {scope}")),
            }
        }
        let is_desired = |one: &RoleAssignment| {
            spec.scopes
                .iter()
                .any(|scope| is_of(one, &identity.principal_id, scope))
        };
        // Roles of an identity that the author had kept when the profile named another.
        let is_retained =
            |one: &RoleAssignment| self.retains && one.principal_id != identity.principal_id;
        let mut made = self.made();
        made.retain(|one| !is_desired(one) && !is_retained(one) && !self.kept.contains(&one.id));
        match made.is_empty() {
            true => Ok(()),
            false => Err(format!("roles that nobody asked for: {made:?}")),
        }
    }
}

fn is_of(one: &RoleAssignment, principal: &str, scope: &str) -> bool {
    one.principal_id == principal && one.scope == scope
}

fn assignment(number: u32, scope: &str, principal: &str) -> RoleAssignment {
    let role = Role::parse("Reader").id().expect("built in");
    RoleAssignment {
        id: format!("{scope}/providers/Microsoft.Authorization/roleAssignments/by-hand-{number}"),
        name: format!("by-hand-{number}"),
        scope: scope.to_owned(),
        role_definition_id: format!(
            "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}"
        ),
        principal_id: principal.to_owned(),
        description: None,
    }
}

fn identity(name: &str, principal: &str) -> UserAssignedIdentity {
    UserAssignedIdentity {
        id: IdentityId::new("s", "ids", name),
        location: "westeurope".to_owned(),
        tags: BTreeMap::new(),
        client_id: format!("client of {principal}"),
        principal_id: principal.to_owned(),
        tenant_id: "t".to_owned(),
    }
}
