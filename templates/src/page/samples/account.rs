//! Samples of the pages of an account, from sign-up to its sessions; fresh and refused.
use askama::Template;

use super::{AT_MS, HOSTILE};
use crate::{
    frame::Frame,
    page::{
        account::{AccountPage, QrPicture, RecoveryCodesPage, Seed, SessionRow, TotpPage},
        code::{CodePage, ElevatePage},
        link::{ForgotPage, ResetPage, VerifyPage},
        prove::ProvePage,
        sign_in::{Problem, SignInPage},
        sign_up::SignUpPage,
        told::{Told, ToldPage},
    },
    problem::Problems,
    time::Utc,
};

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut pages = sign_in_pages(frame);
    let mut add = |name: &str, page: &dyn askama::DynTemplate| {
        pages.push((name.to_owned(), page.dyn_render().expect("renders")));
    };
    let refused = |field| Problems::of_code(frame.text, "invalid_field", Some(field), 0);
    for told in Told::ALL {
        add(&format!("told {told:?}"), &ToldPage { frame: frame.clone(), told });
    }
    for (at, sentence) in [("email", ""), ("new_password", HOSTILE)] {
        let problems =
            if sentence.is_empty() { refused(at) } else { Problems::of_sentence("email", sentence.to_owned()) };
        let (email, email_chars_max, password_chars_min, password_chars_max) = (HOSTILE, 254, 12, 256);
        let frame = || frame.clone();
        let one = problems.clone();
        add(
            "sign-up",
            &SignUpPage {
                frame: frame(),
                email,
                email_chars_max,
                password_chars_min,
                password_chars_max,
                next: "/invitations/accept?token=t",
                problems: one,
            },
        );
        add("forgot", &ForgotPage { frame: frame(), email_chars_max, problems: problems.clone() });
        add("reset", &ResetPage { frame: frame(), token: HOSTILE, password_chars_min, password_chars_max, problems });
    }
    add("verify", &VerifyPage { frame: frame.clone(), token: HOSTILE });
    for has_totp in [false, true] {
        let problems = if has_totp { refused("code") } else { Problems::none() };
        let (code_chars_max, password_chars_min, password_chars_max) = (32, 12, 256);
        let sessions: Vec<_> = [true, false].map(session_row).into();
        add("code", &CodePage { frame: frame.clone(), code_chars_max, next: HOSTILE, problems: problems.clone() });
        let elevate = ElevatePage {
            frame: frame.clone(),
            has_totp,
            password_chars_max,
            code_chars_max,
            problems: problems.clone(),
        };
        add("elevate", &elevate);
        let account = AccountPage {
            frame: frame.clone(),
            email: HOSTILE,
            is_verified: has_totp,
            has_totp,
            recovery_codes: 1,
            sessions: &sessions,
            password_chars_min,
            password_chars_max,
            problems: if has_totp { refused("new_password") } else { Problems::none() },
        };
        add("account", &account);
        let picture = QrPicture::of("otpauth://totp/x").expect("short enough");
        let enrolment = (!has_totp).then_some(Seed { picture, secret: "ABCDEFGH" });
        add(
            "totp",
            &TotpPage { frame: frame.clone(), enrolment, has_totp, recovery_codes: 2, code_chars_max, problems },
        );
    }
    let problems = Problems::none();
    let begin = TotpPage {
        frame: frame.clone(),
        enrolment: None,
        has_totp: false,
        recovery_codes: 0,
        code_chars_max: 32,
        problems,
    };
    add("totp begin", &begin);
    add(
        "recovery-codes",
        &RecoveryCodesPage { frame: frame.clone(), codes: &["abcdef".to_owned(), "ghijkl".to_owned()] },
    );
    pages
}

/// The pages that ask for a password.
fn sign_in_pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for problem in [None, Some(Problem::Mismatch), Some(Problem::Limited { wait_s: 1 }), Some(Problem::Busy)] {
        let page = SignInPage {
            frame: frame.clone(),
            email: HOSTILE,
            email_chars_max: 254,
            password_chars_max: 256,
            next: "/console/usage",
            problem,
        };
        pages.push((format!("sign-in {problem:?}"), page.render().expect("renders")));
    }
    for problems in [Problems::none(), Problems::of_code(frame.text, "invalid_field", Some("password"), 0)] {
        let page = ProvePage {
            frame: frame.clone(),
            email: HOSTILE,
            has_totp: problems.is_empty(),
            code_chars_max: 32,
            password_chars_max: 256,
            next: "/console/usage",
            problems,
        };
        pages.push((format!("prove {}", page.problems.is_empty()), page.render().expect("renders")));
    }
    pages
}

fn session_row(is_current: bool) -> SessionRow {
    SessionRow {
        id: format!("ses_{is_current}"),
        agent: HOSTILE.into(),
        address: "127.0.0.1".into(),
        seen: Utc::from_ms(AT_MS),
        is_current,
        is_operator: !is_current,
    }
}
