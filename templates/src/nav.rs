//! The console's navigation: its entries, their groups, and which one the page is.
use crate::text::Text;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What the org has.
    Main,
    /// The app that the page is about.
    App,
    /// The org itself.
    Org,
    /// The person's own.
    Own,
    /// The operator area.
    Operator,
}

/// An entry of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The org at a glance.
    Overview,
    /// The list of apps.
    Apps,
    /// Usage of the org.
    Usage,
    /// One app.
    App,
    /// Its first steps.
    Quickstart,
    /// Its API keys.
    Keys,
    /// Its signing keys.
    SigningKeys,
    /// Pages that may connect.
    Origins,
    /// People of the org and invitations.
    Members,
    /// Who changed what.
    Audit,
    /// The org's name and rules.
    Settings,
    /// Plan and invoices.
    Billing,
    /// The person's account.
    Account,
    /// The documentation.
    Docs,
    /// The way into the operator area.
    Operator,
    /// All orgs.
    OperatorOrgs,
    /// Processes that serve.
    OperatorNodes,
    /// Plans.
    OperatorPlans,
    /// The service's own audit log.
    OperatorAudit,
    /// Mails and jobs.
    OperatorJobs,
    /// What is told to every org.
    OperatorAnnouncements,
}

impl Group {
    /// Whether it is the group of the page's app.
    pub(crate) const fn is_app(self) -> bool {
        matches!(self, Self::App)
    }
}

impl Entry {
    /// The name of its picture.
    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Overview => "house",
            Self::Apps | Self::App => "boxes",
            Self::Usage => "chart-column",
            Self::Quickstart => "rocket",
            Self::Keys => "key-round",
            Self::SigningKeys => "pen-line",
            Self::Origins => "globe",
            Self::Members => "users",
            Self::Audit | Self::OperatorAudit | Self::OperatorJobs => "scroll-text",
            Self::Settings => "settings",
            Self::Billing | Self::OperatorPlans => "credit-card",
            Self::Account => "user",
            Self::Docs => "book-open",
            Self::Operator => "shield",
            Self::OperatorAnnouncements => "megaphone",
            Self::OperatorOrgs | Self::OperatorNodes => "building-2",
        }
    }

    /// Its word.
    pub(crate) fn label(self, text: &Text) -> String {
        text.get(match self {
            Self::Overview => "nav-overview",
            Self::Apps => "nav-apps",
            Self::Usage => "nav-usage",
            Self::App => "nav-app",
            Self::Quickstart => "nav-quickstart",
            Self::Keys => "nav-keys",
            Self::SigningKeys => "nav-signing-keys",
            Self::Origins => "nav-origins",
            Self::Members => "nav-members",
            Self::Audit | Self::OperatorAudit => "nav-audit",
            Self::Settings => "nav-settings",
            Self::Billing => "nav-billing",
            Self::Account => "nav-account",
            Self::Docs => "nav-docs",
            Self::Operator => "nav-operator",
            Self::OperatorOrgs => "nav-operator-orgs",
            Self::OperatorNodes => "nav-operator-nodes",
            Self::OperatorPlans => "nav-operator-plans",
            Self::OperatorJobs => "nav-operator-jobs",
            Self::OperatorAnnouncements => "nav-operator-announcements",
        })
    }
}

/// An entry the visitor may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it stands.
    pub group: Group,
    /// Which one it is.
    pub entry: Entry,
    /// Where it leads.
    pub href: String,
    /// Whether the page is it, or below it.
    pub is_here: bool,
}

/// The entries a visitor may open, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nav(Vec<Link>);

impl Nav {
    /// Marks the entry that `path` is or lies below: the one with the longest address.
    #[must_use]
    pub fn new(mut links: Vec<Link>, path: &str) -> Self {
        let holds = |href: &str| path == href || path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
        let here = links.iter_mut().filter(|link| holds(&link.href)).max_by_key(|link| link.href.len());
        if let Some(link) = here {
            link.is_here = true;
        }
        Self(links)
    }

    /// Whether there is nowhere to go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries group by group, without empty groups.
    pub(crate) fn groups(&self) -> Vec<(Group, Vec<&Link>)> {
        let mut groups: Vec<(Group, Vec<&Link>)> = Vec::new();
        for link in &self.0 {
            match groups.last_mut().filter(|(group, _)| *group == link.group) {
                Some((_, links)) => links.push(link),
                None => groups.push((link.group, vec![link])),
            }
        }
        groups
    }

    /// Where the list of apps is, if the visitor may open it.
    pub(crate) fn apps(&self) -> Option<&str> {
        self.0.iter().find(|link| link.entry == Entry::Apps).map(|link| link.href.as_str())
    }

    /// The entry the page is.
    #[cfg(test)]
    fn here(&self) -> Option<&Link> {
        self.0.iter().find(|link| link.is_here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_entry_above_the_page_is_here() {
        let link = |group, entry, href: &str| Link { group, entry, href: href.into(), is_here: false };
        let links = vec![
            link(Group::Main, Entry::Apps, "/console/apps"),
            link(Group::App, Entry::App, "/console/apps/app_1"),
            link(Group::App, Entry::Keys, "/console/apps/app_1/keys"),
        ];
        let here = |path| Nav::new(links.clone(), path).here().map(|link| link.entry);
        assert_eq!(here("/console/apps/app_1/keys/key_1"), Some(Entry::Keys));
        assert_eq!(here("/console/apps/app_1"), Some(Entry::App));
        assert_eq!(here("/console/apps/app_12"), Some(Entry::Apps));
        assert_eq!(here("/console/appsx"), None);
        assert_eq!(Nav::new(links.clone(), "").groups().len(), 2);
    }
}
