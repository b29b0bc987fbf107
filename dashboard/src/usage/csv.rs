//! The usage page's figures as CSV (RFC 4180), one line per app and hour, oldest first.
use actix_web::{HttpResponse, http::header};
use tokenim_templates::time::Utc;

use super::{
    query::Query,
    reading::{self, Reading},
};
use crate::{answer, routes::Answer, visit::Visit};

const HEAD: &str = "hour_start_utc,app_id,app_name,mode,meter,quantity,complete\r\n";

/// Answers the file.
pub(crate) async fn show(visit: &Visit<'_>) -> Answer {
    let (query, _) = Query::parse(visit.request.query_string())?;
    let reading = reading::read(visit.console, visit.member()?.org, &query).await?;
    let (from, to) = (Utc::from_ms(reading.window.from_ms), Utc::from_ms(reading.window.to_ms));
    let name = format!("usage-{}-{}.csv", from.input().replace(':', ""), to.input().replace(':', ""));
    let mut builder = HttpResponse::Ok();
    builder.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    Ok(answer::body(builder, "text/csv; charset=utf-8", lines(&reading).into_bytes(), visit))
}

fn lines(reading: &Reading) -> String {
    let mut out = String::from(HEAD);
    for hour in reading.hours.iter().rev() {
        let app = reading.app_of(hour.app);
        let fields = [
            Utc::from_ms(hour.at_ms).stamp(),
            hour.app.to_string(),
            field(app.map(|app| app.name.as_str()).unwrap_or_default()),
            app.map(|app| app.mode.as_str().to_owned()).unwrap_or_default(),
            hour.meter.as_str().to_owned(),
            hour.quantity.to_string(),
            reading.is_complete(hour).to_string(),
        ];
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out
}

/// Quotes a name; one that a spreadsheet would run as a formula gets an apostrophe in front.
pub(crate) fn field(name: &str) -> String {
    let guard = if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn names_are_quoted_and_never_formulas() {
        assert_eq!(field("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(field("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
