//! `ping`: is anybody there, and what time is it.

use super::Call;
use tokenim_domain::Result;
use tokenim_domain::log::MessageLog;
use tokenim_protocol::command::Ping;
use tokenim_protocol::reply::Json;

/// Answers the server's time.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let Ping {} = call.fields()?;
    let mut out = String::from("{\"server_time\":");
    out.time(call.gateway.inner.clock.now_ms()).raw("}");
    call.answer(&out);
    Ok(())
}
