//! What is kept for which pods.

use super::*;

#[tokio::test(start_paused = true)]
async fn pods_with_one_identity_share_its_token_which_goes_with_the_last() {
    within_limit(async {
        let (bench, one, two) = (bench(), pod("one"), pod("two"));
        bench.show(&[&one, &two]);
        assert_eq!(bench.token(&one).await.1, TokenOrigin::Source);
        assert_eq!(
            bench.token(&two).await,
            ("token-1".into(), TokenOrigin::Cache)
        );
        assert_eq!((bench.asked(), bench.kept()), (1, (1, 2)));
        bench.show(&[&two]);
        bench.settle().await;
        assert_eq!(bench.kept(), (1, 1));
        bench.show(&[]);
        bench.settle().await;
        assert_eq!(bench.kept(), (0, 0));
        bench.show(&[&two]);
        assert_eq!(
            bench.token(&two).await,
            ("token-2".into(), TokenOrigin::Source)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_goes_with_the_right_to_it() {
    within_limit(async {
        let mut unbound = pod("one");
        unbound.bindings.clear();
        let mut not_assigned = pod("one");
        not_assigned.assigned_identities.clear();
        let mut another = pod("one");
        another.identities[0].client_id = "client-two".into();
        let mut assigned_anew = pod("one");
        for since in assigned_anew.assigned.values_mut() {
            *since += Duration::from_secs(1);
        }
        for changed in [unbound, not_assigned, another] {
            let (bench, one) = (bench(), pod("one"));
            bench.show(&[&one]);
            bench.token(&one).await;
            bench.show(&[&one]);
            bench.settle().await;
            assert_eq!(bench.kept(), (1, 1), "nothing has changed yet");
            bench.show(&[&changed]);
            bench.settle().await;
            assert_eq!(bench.kept(), (0, 0), "{changed:?}");
            assert_eq!(bench.asked(), 1);
        }
        let (bench, one) = (bench(), pod("one"));
        bench.show(&[&one]);
        bench.token(&one).await;
        bench.show(&[&assigned_anew]);
        bench.settle().await;
        // Its pod is likely to ask for a new one, which is fetched ahead.
        let answer = bench.token(&assigned_anew).await;
        assert_eq!(answer, ("token-2".into(), TokenOrigin::Cache));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_everything_keeps_little() {
    within_limit(async {
        let (bench, one, two) = (bench(), pod("one"), pod("two"));
        bench.show(&[&one, &two]);
        bench.token(&two).await;
        for number in 0..1000 {
            bench.ask(&one, &number.to_string()).await.unwrap();
        }
        assert_eq!(bench.kept(), (17, 17), "sixteen of its own");
        assert_eq!(
            bench.ask(&one, "999").await.unwrap().origin,
            TokenOrigin::Cache
        );
        assert_eq!(
            bench.token(&two).await.1,
            TokenOrigin::Cache,
            "others keep theirs"
        );
        bench.set(Doing::IssueLarge(8 * 1024));
        assert!(bench.ask(&one, "large").await.is_ok());
        assert_eq!(
            bench.ask(&one, "large").await.unwrap().origin,
            TokenOrigin::Source
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_comes_finds_what_pods_of_its_identity_have_used() {
    within_limit(async {
        let (bench, one, two) = (bench(), pod("one"), pod("two"));
        let mut another = pod("another");
        another.identities[0].client_id = "client-two".into();
        let mut unbound = pod("unbound");
        unbound.bindings.clear();
        bench.show(&[&one]);
        bench.token(&one).await;
        bench.ask(&one, "graph").await.unwrap();
        bench.show(&[]);
        bench.settle().await;
        assert_eq!((bench.asked(), bench.kept()), (2, (0, 0)));

        let mut not_assigned = two.clone();
        not_assigned.assigned_identities.clear();
        bench.show(&[&not_assigned, &another, &unbound]);
        bench.settle().await;
        assert_eq!(bench.asked(), 2, "nothing for those who may not have it");
        bench.show(&[&two, &another, &unbound]);
        bench.settle().await;
        assert_eq!((bench.asked(), bench.kept()), (4, (2, 2)));
        for resource in [VAULT, "graph"] {
            let issued = bench.ask(&two, resource).await.unwrap();
            assert_eq!(issued.origin, TokenOrigin::Cache, "{resource}");
        }
        assert_eq!(bench.asked(), 4);

        // What is kept already is kept for the next pod, too, before it asks.
        let three = pod("three");
        bench.show(&[&two, &three]);
        bench.settle().await;
        assert_eq!((bench.asked(), bench.kept()), (4, (2, 4)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_ahead_and_is_not_used_is_not_fetched_again() {
    within_limit(async {
        let (bench, one, two) = (bench(), pod("one"), pod("two"));
        bench.show(&[&one]);
        bench.token(&one).await;
        bench.show(&[]);
        bench.settle().await;
        bench.show(&[&two]);
        bench.settle().await;
        assert_eq!(bench.asked(), 2);
        bench.pass(2 * LIFE).await;
        assert_eq!(bench.asked(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_loses_its_right_while_a_new_token_comes_does_not_keep_that_one() {
    within_limit(async {
        let mut unbound = pod("one");
        unbound.bindings.clear();
        for here in [vec![&unbound], vec![]] {
            let (bench, one) = (bench(), pod("one"));
            bench.show(&[&one]);
            bench.token(&one).await;
            bench.set(Doing::IssueLate(Duration::from_secs(1)));
            while bench.asked() < 2 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            bench.show(&here);
            bench.settle().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            bench.settle().await;
            assert_eq!((bench.asked(), bench.kept()), (2, (0, 0)), "{here:?}");
        }
    })
    .await;
}
