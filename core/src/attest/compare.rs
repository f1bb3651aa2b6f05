//! The comparison of the two facts about one pod.

use std::net::Ipv4Addr;

use super::{AttestationError, Claim, PodEndpoint, PodLink};

/// The endpoints of a pod, one for each address that the API server says it has. `links` is `None`
/// when the pod has no process on this node. Addresses that only the kernel shows do not count: the
/// pod can give itself any.
///
/// # Errors
/// When the two facts do not agree on every address of the claim.
pub fn compare(
    claim: &Claim,
    links: Option<&[PodLink]>,
) -> Result<Vec<PodEndpoint>, AttestationError> {
    let links = links.ok_or(AttestationError::NoProcess)?;
    if links.is_empty() {
        return Err(AttestationError::NoLink);
    }
    let addresses = claim.addresses.iter();
    addresses.map(|address| endpoint(*address, links)).collect()
}

fn endpoint(claimed: Ipv4Addr, links: &[PodLink]) -> Result<PodEndpoint, AttestationError> {
    let mut having = links
        .iter()
        .filter(|link| link.addresses.contains(&claimed));
    match (having.next(), having.next()) {
        (Some(link), None) => Ok(PodEndpoint {
            interface: link.interface,
            address: claimed,
            bridge_port: link.bridge_port,
        }),
        (None, _) => {
            let found = links
                .iter()
                .flat_map(|link| link.addresses.clone())
                .collect();
            Err(AttestationError::Address { claimed, found })
        }
        // It is not known on which of the links answers must be sent.
        (Some(_), Some(_)) => Err(AttestationError::SeveralLinks { claimed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
    const B: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 3);

    fn link(interface: u32, addresses: &[Ipv4Addr]) -> PodLink {
        PodLink {
            interface,
            bridge_port: None,
            addresses: addresses.to_vec(),
        }
    }

    fn claim(addresses: &[Ipv4Addr]) -> Claim {
        Claim {
            uid: "u".into(),
            addresses: addresses.to_vec(),
        }
    }

    fn routed(interface: u32, address: Ipv4Addr) -> PodEndpoint {
        PodEndpoint {
            interface,
            address,
            bridge_port: None,
        }
    }

    #[test]
    fn both_facts_together_make_an_endpoint() {
        let endpoints = compare(&claim(&[A]), Some(&[link(7, &[A])])).unwrap();
        assert_eq!(endpoints, [routed(7, A)]);
    }

    #[test]
    fn an_address_the_pod_gave_itself_does_not_count() {
        let endpoints = compare(&claim(&[A]), Some(&[link(7, &[A, B])])).unwrap();
        assert_eq!(endpoints, [routed(7, A)]);
    }

    #[test]
    fn every_way_to_disagree() {
        let table: [(Option<&[PodLink]>, AttestationError); 4] = [
            (None, AttestationError::NoProcess),
            (Some(&[]), AttestationError::NoLink),
            (
                Some(&[link(7, &[B])]),
                AttestationError::Address {
                    claimed: A,
                    found: vec![B],
                },
            ),
            (
                Some(&[link(7, &[A]), link(8, &[A])]),
                AttestationError::SeveralLinks { claimed: A },
            ),
        ];
        for (links, expected) in table {
            assert_eq!(compare(&claim(&[A]), links), Err(expected));
        }
    }

    #[test]
    fn one_wrong_address_of_two_is_an_error() {
        assert!(compare(&claim(&[A, B]), Some(&[link(7, &[A])])).is_err());
    }
}
