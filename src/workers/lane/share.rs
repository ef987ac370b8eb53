//! What was leased at once, shared out to requests and places.

use crate::store::Claimed;

/// Splits leases into requests of at most `batch` messages that go `together`, none larger than its caps
/// allow.
pub(super) fn in_requests<M>(
    leases: Vec<(Claimed, M)>,
    batch: usize,
    together: impl Fn(&M, &M) -> bool,
) -> Vec<Vec<(Claimed, M)>> {
    let mut requests: Vec<(usize, Vec<(Claimed, M)>)> = Vec::new();
    for lease in leases {
        let cap = lease
            .0
            .batch_cap
            .map_or(batch, |cap| (cap.max(1) as usize).min(batch));
        match requests.iter_mut().rev().find(|(c, request)| {
            *c == cap && request.len() < cap && together(&request[0].1, &lease.1)
        }) {
            Some((_, request)) => request.push(lease),
            None => requests.push((cap, vec![lease])),
        }
    }
    requests.into_iter().map(|(_, request)| request).collect()
}

/// Deals requests out to `places`, each of which sends its own one after the other: a batch that was
/// split makes more requests than there are places.
pub(super) fn in_turns<R>(requests: Vec<R>, places: usize) -> Vec<Vec<R>> {
    let mut turns: Vec<Vec<R>> = Vec::new();
    turns.resize_with(places.min(requests.len()), Vec::new);
    for (n, request) in requests.into_iter().enumerate() {
        let place = n % turns.len();
        turns[place].push(request);
    }
    turns
}
