//! Messages to one group, delivered to every member that is connected.

use super::{Found, Run, direct::steady};
use crate::crowd::Crowd;
use crate::failure::Failure;
use crate::progress::tell;

/// Runs it.
pub async fn run(run: &Run) -> Result<Found, Failure> {
    let (members, connected) = (run.options.members(), run.options.connections());
    tell(&format!("group: {members} members, connecting {}", connected.min(members)));
    let mut crowd = Crowd::group(&run.target, members, connected).await?;
    Ok(vec![steady(run, "group", &mut crowd, run.options.rate()).await?].into())
}
