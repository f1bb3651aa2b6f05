//! Queries: selectors that repeat or contradict each other, encodings, values that are not there.

use super::{Case, PATH, case, get};
use crate::testing::RESOURCE_ID;

/// The rest of a query, behind version and resource.
fn more(rest: &str) -> String {
    get(&format!("{PATH}?{}&{rest}", super::QUERY))
}

pub(super) fn cases() -> Vec<Case> {
    let whole = |query: &str| get(&format!("{PATH}?{query}"));
    let mut cases = vec![
        case(get(PATH), &[400]),
        case(get(&format!("{PATH}?")), &[400]),
        case(more(&format!("msi_res_id={RESOURCE_ID}")), &[200]),
        case(
            more(&format!("mi_res_id={}", RESOURCE_ID.to_uppercase())),
            &[200],
        ),
        case(
            more(&format!("msi-res-id={}", RESOURCE_ID.replace('/', "%2F"))),
            &[200],
        ),
        case(
            more(&format!("client_id=client-one&msi_res_id={RESOURCE_ID}")),
            &[400],
        ),
        case(
            more(&format!("mi_res_id={RESOURCE_ID}&msi_res_id={RESOURCE_ID}")),
            &[400],
        ),
        case(
            more(&format!("msi_res_id={}", "/subscriptions/s/x".repeat(20))),
            &[400],
        ),
    ];
    for rest in [
        "client_id=client-one",
        "CLIENT_ID=CLIENT-ONE",
        "client%5Fid=client-one",
        "client_id=client%2Done",
        "client_id=",
        "client_id",
        "object_id=",
        "bypass_cache=true",
        "bypass_cache=maybe",
        "authority=https://login.example",
        "tenant_id=foreign",
        "x=%zz",
        "x=%",
        "x=%ff%fe",
        "&&&",
        "=",
        "x=a%0d%0ab",
    ] {
        cases.push(case(more(rest), &[200]));
    }
    for rest in [
        "client_id=foreign",
        "client_id=client-one%00",
        "client_id=client-one%20",
        "client_id=+client-one",
        "client_id=client-one,foreign",
        "client_id=*",
        "client_id=client-one&client_id=client-one",
        "client_id=client-one&client_id=foreign",
        "client_id=client-one&CLIENT_ID=foreign",
        "client_id=&client_id=client-one",
        "client_id=client-one&object_id=o",
        "client_id[]=client-one",
        "clientid=client-one",
        "client-id=client-one",
        "client_id%00=client-one",
        "+client_id=client-one",
        "object_id=foreign",
        "resource=r",
        "Resource=r",
        "resourc%65=r",
        "api-version=2018-02-01",
        "x=1&x=2",
        "bypass_cache=true&bypass_cache=true",
    ] {
        cases.push(case(more(rest), &[400]));
    }
    for query in [
        "api-version=2018-02-01&resource=r",
        "resource=r&api-version=2018-02-01",
        "API-VERSION=2018-02-01&RESOURCE=r",
        "api-version=2018-02-01&resource=a+b",
        "api-version=2018-02-01&resource=%00",
        "api-version=2018-02-01&resource=%ff",
        "api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net%2F",
        "api-version=2019-08-01&resource=r",
        "api%2Dversion=2018-02-01&resource=r",
    ] {
        cases.push(case(whole(query), &[200]));
    }
    for query in [
        "resource=r",
        "api-version=&resource=r",
        "api-version=2017-12-01&resource=r",
        "api-version=2018-02-1&resource=r",
        "api-version=latest&resource=r",
        "api-version=%32018-02-01x&resource=r",
        "api-version=2018-02-01",
        "api-version=2018-02-01&resource",
        "api-version=2018-02-01&resource=",
        "api-version=2018-02-01;resource=r",
        "api-version=2018-02-01%26resource=r",
        "resource=a&resource=b&api-version=2018-02-01",
    ] {
        cases.push(case(whole(query), &[400]));
    }
    cases
}
