//! Roles and modes: closed lists, each with the text that is stored and shown.

macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The stored and shown text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value of that text.
            #[must_use]
            pub fn find(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use texts;

texts! {
    /// What an account may do in an org.
    OrgRole { /// Everything.
        Owner "owner", /// Everything but plan and invoices, and giving the org away.
        Admin "admin", /// Apps and keys.
        Developer "developer", /// Plan, payment and invoices.
        Billing "billing", /// Reading.
        Viewer "viewer", }
}
texts! {
    /// What a member may do in a conversation.
    MemberRole { /// Made the conversation, or was given it; alone gives and takes the roles of owner and admin.
        Owner "owner", /// Moderates: settings, members of lower rank, their messages.
        Admin "admin", /// Sends and reads.
        Member "member", /// Reads.
        Guest "guest", }
}
texts! {
    /// Whether an app's traffic is billed.
    Mode { /// Billed.
        Live "live", /// Never billed.
        Test "test", }
}
texts! {
    /// The kind of a conversation.
    ConversationKind { /// Two users; unique per pair.
        Direct "direct", /// Any number of users.
        Group "group", }
}
texts! {
    /// The content kind of a message.
    ContentKind { /// An object with a `text` string.
        Text "text", /// Any JSON.
        Json "json", /// A reference to an attachment, any JSON object.
        File "file", }
}
texts! {
    /// What a member event did.
    Change { /// The conversation was created with these members.
        Created "created", /// Members joined.
        Added "added", /// Members left.
        Removed "removed", /// A member's role is another one.
        Role "role", /// A member may not speak for a time.
        Muted "muted", /// A member may speak again.
        Unmuted "unmuted", /// A user was kept out, and removed where it was a member.
        Banned "banned", /// A user is kept out no more.
        Unbanned "unbanned", }
}
