//! Properties of the whole floor.

use super::fake::Agent;
use super::route;
use super::samples::{call, path_of};

proptest::proptest! {
    #[test]
    fn whatever_arrives_is_answered(
        row in 0..route::TABLE.len(),
        tail in "\\PC{0,20}",
        header in "(Bearer|Basic|bearer) [a-zA-Z0-9._=%:-]{0,80}|\\PC{0,20}",
        form in proptest::bool::ANY,
        body in proptest::collection::vec(0u8.., 0..200),
    ) {
        let agent = Agent::new();
        let route = &route::TABLE[row];
        let mut call = call(route.method, &format!("{}{tail}", path_of(route)));
        let media = if form { super::body::FORM } else { super::body::JSON };
        call.headers.push(("content-type".into(), media.into()));
        call.headers.push(("authorization".into(), header));
        call.body = body;
        let answer = agent.send(call);
        proptest::prop_assert!((200..600).contains(&answer.status) && answer.status != 500);
        let printable = |(_, value): &(&str, String)| !value.chars().any(char::is_control);
        proptest::prop_assert!(answer.reply.headers.iter().all(printable));
    }

    #[test]
    fn whatever_an_admin_sends_is_answered(
        row in 0..route::TABLE.len(),
        key in "name|address|license|scopes|target_peer_id|\\PC{0,8}",
        value in "-?[0-9]{1,30}|\"\\PC{0,20}\"|null|true|\\[\\]|\\{\\}|\\[\"admin\"\\]",
        query in "\\PC{0,20}",
    ) {
        let route = &route::TABLE[row];
        let target = format!("{}?{query}", path_of(route));
        let body = format!("{{\"{key}\": {value}}}");
        let answer = Agent::new().admin(route.method, &target, &body);
        proptest::prop_assert!((200..600).contains(&answer.status) && answer.status != 500);
    }
}
