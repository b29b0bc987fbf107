//! Names of those whose ids stand in an org's rows and its audit log.

use crate::entity::{account, management_key};
use crate::fault;
use crate::scope::OrgScope;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use std::collections::HashMap;
use tokenim_domain::Result;
use tokenim_domain::id::{AccountId, KeyId};

impl OrgScope<'_> {
    /// Names by id: the addresses of accounts, and the names of the org's management keys. Other ids have none.
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
            let found: Vec<(AccountId, String)> = account::Entity::find()
                .select_only()
                .columns([account::Column::Id, account::Column::Email])
                .filter(account::Column::Id.is_in(accounts))
                .into_tuple()
                .all(&self.store.readers)
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
