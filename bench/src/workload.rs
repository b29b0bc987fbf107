//! The workloads: what each prepares, does and concludes.

mod catch_up;
mod direct;
mod group;
mod idle;
mod mixed;
mod overload;
mod storm;

use crate::failure::Failure;
use crate::meter::Meter;
use crate::options::{Options, Workload};
use crate::progress;
use crate::report::{Offer, Phase, Server};
use crate::tally::Tally;
use crate::target::Target;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Load before what is measured, so that caches are warm and batches have found their size.
const WARM_UP: Duration = Duration::from_secs(1);

/// A run under way.
pub struct Run {
    /// What was asked for.
    pub options: Options,
    /// What is loaded.
    pub target: Target,
}

/// What a workload found.
pub struct Found {
    /// Its phases, in order.
    pub phases: Vec<Phase>,
    /// What it concludes.
    pub findings: BTreeMap<&'static str, f64>,
}

impl From<Vec<Phase>> for Found {
    fn from(phases: Vec<Phase>) -> Self {
        Found { phases, findings: BTreeMap::new() }
    }
}

impl Run {
    /// Does what was asked for.
    pub async fn go(&self) -> Result<Found, Failure> {
        match self.options.workload {
            Workload::Idle => idle::run(self).await,
            Workload::Direct => direct::run(self).await,
            Workload::Group => group::run(self).await,
            Workload::CatchUp => catch_up::run(self).await,
            Workload::Storm => storm::run(self).await,
            Workload::Mixed => mixed::run(self).await,
            Workload::Overload => overload::run(self).await,
        }
    }

    /// Messages that a connection may have unanswered.
    fn in_flight(&self) -> usize {
        self.options.in_flight as usize
    }

    /// Measures a stretch: what its tally counts and what the server spent meanwhile.
    async fn measure(
        &self,
        (name, unit): (&'static str, &'static str),
        offer: Option<Offer>,
        tally: &Rc<Tally>,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<Phase, Failure> {
        tally.reset();
        tally.recording.set(true);
        let (metered, began) = (self.meter().await?, Instant::now());
        let by_second = progress::watched(name, std::slice::from_ref(tally), work).await?;
        let seconds = began.elapsed().as_secs_f64();
        let server = metered.stop(self, tally.acked.get(), tally.delivered.get()).await?;
        Ok(Phase { by_second, server, ..Phase::of(name, unit, offer, seconds, tally) })
    }

    async fn meter(&self) -> Result<Metered, Failure> {
        let Some(watched) = &self.target.watched else { return Ok(Metered(None)) };
        Ok(Metered(Some((watched.memory()?, Meter::start(watched).await?))))
    }
}

/// Readings at the beginning of a stretch, where the server's process is on this machine.
struct Metered(Option<(crate::process::Memory, Meter)>);

impl Metered {
    async fn stop(self, run: &Run, accepted: u64, delivered: u64) -> Result<Option<Server>, Failure> {
        let Some(((before, meter), watched)) = self.0.zip(run.target.watched.as_ref()) else { return Ok(None) };
        let cost = meter.stop(watched).await?;
        Ok(Some(Server::of(cost, accepted, delivered, before, watched.memory()?)))
    }
}
