//! Users who come back and get what they missed, in many conversations each.

use super::{Found, Run};
use crate::crowd::Arrivals;
use crate::failure::Failure;
use crate::progress::tell;
use crate::sender::BODY;
use crate::tally::Tally;
use crate::target::{Made, Target, User};
use crate::tasks::Tasks;

/// Messages that were missed in each conversation.
pub const MISSED: usize = 3;

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let (count, conversations) = (run.options.connections(), run.options.conversations as usize);
    tell(&format!("catch-up: making {count} users, {conversations} conversations, {MISSED} messages in each"));
    let users = run.target.users(count).await?;
    let heads = missed(&run.target, &users, conversations).await?;
    let each = (conversations * MISSED) as u64;
    let arrivals = Arrivals { target: &run.target, users: &users, heads, missed: each };
    let (rate, tally, mut held) = (run.options.rate(), Tally::new(), Tasks::default());
    let work = async { arrivals.come(rate, &tally, &mut held).await };
    let mut phase = run.measure(("catch-up", "connect"), Some(arrivals.offer(rate)), &tally, work).await?;
    phase.deliveries_due = phase.accepted * each;
    Ok(vec![phase].into())
}

/// Makes the conversations, all of everybody, and their messages; the heads from before these.
pub async fn missed(target: &Target, users: &[User], conversations: usize) -> Result<String, Failure> {
    let everybody: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
    let made = target.conversations("group", vec![everybody; conversations]).await?;
    let mut posts = Vec::with_capacity(conversations * MISSED);
    for number in 0..MISSED {
        posts.extend(made.iter().map(|Made { id, .. }| {
            let sender = &users[0].id;
            let message = format!(
                "{{\"sender\":\"{sender}\",\"client_msg_id\":\"missed-{number}\",\"kind\":\"text\",\"body\":{BODY}}}"
            );
            (format!("/v1/conversations/{id}/messages"), message)
        }));
    }
    target.post_all(posts).await?;
    let heads: Vec<_> = made.iter().map(|Made { id, epoch, seq }| format!("\"{id}\":[{epoch},{seq}]")).collect();
    Ok(format!("{{{}}}", heads.join(",")))
}
