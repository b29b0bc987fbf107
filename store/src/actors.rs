//! Names of those whose ids stand in an org's rows and its audit log.

use crate::AuditEvent;
use crate::entity::{account, management_key, org_member};
use crate::fault;
use crate::scope::OrgScope;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use std::collections::HashMap;
use tokenim_domain::Result;
use tokenim_domain::id::{AccountId, KeyId, OrgId};

/// What the audit log calls an operator in the operator area.
const OPERATOR: &str = "operator";

impl OrgScope<'_> {
    /// The names of the actors of these events, in their order. Who of the service's operators did something stands by name
    /// in the service's own log only.
    ///
    /// Shapes: the events of one page. Errors: `unavailable`, `overloaded`.
    pub async fn event_actor_names(&self, events: &[AuditEvent]) -> Result<Vec<Option<String>>> {
        let has_name = |event: &&AuditEvent| self.org == OrgId::SERVICE || event.actor_kind != OPERATOR;
        let names = self.actor_names(events.iter().filter(has_name).map(|event| event.actor.as_str())).await?;
        let name = |event| Some(event).filter(has_name).and_then(|event| names.get(&event.actor)).cloned();
        Ok(events.iter().map(name).collect())
    }

    /// Names by id: the addresses of accounts that are the org's members (the service sees all), and the names of the org's
    /// management keys. Other ids have none.
    ///
    /// Shapes: the actors of one page, taken from rows that the org may see. Errors: `unavailable`, `overloaded`.
    pub async fn actor_names<'a>(&self, actors: impl Iterator<Item = &'a str>) -> Result<HashMap<String, String>> {
        let (mut accounts, mut keys) = (Vec::<AccountId>::new(), Vec::<KeyId>::new());
        for actor in actors {
            accounts.extend(actor.parse::<AccountId>().ok());
            keys.extend(actor.parse::<KeyId>().ok());
        }
        let mut names = HashMap::new();
        if !accounts.is_empty() {
            let members = org_member::Entity::find()
                .select_only()
                .column(org_member::Column::AccountId)
                .filter(org_member::Column::OrgId.eq(self.org));
            let found: Vec<(AccountId, String)> = account::Entity::find()
                .select_only()
                .columns([account::Column::Id, account::Column::Email])
                .filter(account::Column::Id.is_in(accounts))
                .apply_if((self.org != OrgId::SERVICE).then_some(members), |query, members| {
                    query.filter(account::Column::Id.in_subquery(members.into_query()))
                })
                .into_tuple()
                .all(&self.reader())
                .await
                .map_err(fault::query)?;
            names.extend(found.into_iter().map(|(id, email)| (id.to_string(), email)));
        }
        if !keys.is_empty() {
            let found: Vec<(KeyId, String)> = management_key::Entity::find()
                .select_only()
                .columns([management_key::Column::Id, management_key::Column::Name])
                .filter(management_key::Column::OrgId.eq(self.org))
                .filter(management_key::Column::Id.is_in(keys))
                .into_tuple()
                .all(&self.reader())
                .await
                .map_err(fault::query)?;
            names.extend(found.into_iter().map(|(id, name)| (id.to_string(), name)));
        }
        Ok(names)
    }
}
