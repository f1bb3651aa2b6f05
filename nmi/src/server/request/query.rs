//! The query of a token request.

use podid_core::arm::ArmId;
use podid_core::resolve::Selector;
use url::form_urlencoded;

use crate::answer::ErrorAnswer;

type MakeSelector = fn(&str) -> Selector;

/// Query variables that name an identity. `mi_res_id` is what older SDKs say, `msi-res-id` what one
/// says in its probe.
const SELECTORS: [(&str, MakeSelector); 5] = [
    ("client_id", |id| Selector::ClientId(id.to_owned())),
    ("object_id", |id| Selector::ObjectId(id.to_owned())),
    ("msi_res_id", by_resource),
    ("mi_res_id", by_resource),
    ("msi-res-id", by_resource),
];

fn by_resource(id: &str) -> Selector {
    Selector::ResourceId(ArmId::new(id))
}

/// The query, each name once. Names are kept in lower case, for the service reads them in any: a
/// client that writes `CLIENT_ID` must not get the identity of one that names none.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, ErrorAnswer> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let name = name.to_ascii_lowercase();
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(ErrorAnswer::invalid(
                    "A query variable is given more than once",
                ));
            }
            pairs.push((name, value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// The value of a variable; an empty one counts as not given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self
            .0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// Refuses names that differ from a selector's only by signs: the client meant an identity, and a token
    /// of the default one would be the wrong answer.
    fn refuse_misspelt_selectors(&self) -> Result<(), ErrorAnswer> {
        let misspelt = |name: &str| {
            let mut known = SELECTORS.iter().map(|(known, _)| *known);
            known.clone().all(|known| known != name)
                && known.any(|known| letters(known).eq(letters(name)))
        };
        match self.0.iter().any(|(name, _)| misspelt(name)) {
            true => Err(ErrorAnswer::invalid(
                "A query variable is misspelt: client_id, object_id and msi_res_id name an identity",
            )),
            false => Ok(()),
        }
    }

    /// The identity that the query names.
    ///
    /// # Errors
    /// The answer, when the query names two identities, or has a name that nearly names one.
    pub(super) fn selector(&self) -> Result<Selector, ErrorAnswer> {
        self.refuse_misspelt_selectors()?;
        let mut given = SELECTORS
            .iter()
            .filter_map(|(name, make)| self.get(name).map(make));
        match (given.next(), given.next()) {
            (None, _) => Ok(Selector::Only),
            (Some(selector), None) => Ok(selector),
            (Some(_), Some(_)) => Err(ErrorAnswer::invalid(
                "Only one of client_id, object_id and msi_res_id may be given",
            )),
        }
    }
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphabetic)
}
