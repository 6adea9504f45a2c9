//! The entry for other languages: what is asked in JSON is answered in JSON, as the rules would.
#![cfg(feature = "serde")]

#[cfg(test)]
mod cases {
    use retention_policy::{ITEM_EVENTS_MAX, Items, RulesFile, answer};
    use serde_json::{Value, json};

    const FULL: &str = include_str!("data/full.toml");

    fn rules() -> Value {
        serde_json::from_str(&RulesFile::from_toml(FULL).unwrap().to_json()).unwrap()
    }

    fn items() -> Value {
        json!([
            { "id": "7", "tenant": "0192f3c4-0000-7000-8000-000000000001", "class": "record",
              "store": "rows", "bytes": 100,
              "events": [{ "name": "record.deleted", "at": "2026-01-01T00:00:00+09:00" }] },
            { "id": "8", "tenant": "0192f3c4-0000-7000-8000-000000000002", "class": "record",
              "store": "rows", "bytes": 50, "events": [] },
        ])
    }

    fn asked(request: &Value) -> Value {
        serde_json::from_str(&answer(&request.to_string())).unwrap()
    }

    #[test]
    fn each_question_is_answered() {
        let check = asked(&json!({ "ask": "check", "rules": rules() }));
        assert_eq!(
            check,
            json!({ "ok": { "rules": 6, "classes": 2, "stores": 3, "keys": 1, "undecided": [] } })
        );
        let residency = asked(&json!({ "ask": "residency", "rules": rules() }));
        let rows = residency["ok"].as_array().unwrap();
        let backups = rows
            .iter()
            .find(|row| {
                row["class"] == "record"
                    && row["store"] == "backups"
                    && row["from"] == "record.deleted"
            })
            .unwrap();
        assert_eq!(
            (&backups["min_days"], &backups["max_days"]),
            (&json!(211), &json!(214))
        );
        assert_eq!(backups["longest"]["tolerance_secs"], 90_000);

        let explain = |at: &str, more: Value| {
            let mut request =
                json!({ "ask": "explain", "rules": rules(), "items": items(), "at": at });
            for (key, value) in more.as_object().unwrap() {
                request[key] = value.clone();
            }
            asked(&request)
        };
        let early = explain("2026-01-30T00:00:00+09:00", json!({}));
        let verdict = &early["ok"][0]["verdict"];
        assert_eq!(verdict["state"], "keep");
        assert_eq!(verdict["keep_until"], "2026-01-31T15:00:00Z");
        assert_eq!(verdict["gone_by"], "2026-01-31T16:00:00Z");
        assert_eq!(verdict["rules"][1]["clause"], "P-51");
        assert_eq!(early["ok"][1]["verdict"]["keep_until"], "open");
        let late = explain("2026-03-01T00:00:00Z", json!({}));
        assert_eq!(late["ok"][0]["verdict"]["state"], "overdue");
        let held = explain("2026-03-01T00:00:00Z", json!({ "hold": "case-17" }));
        let verdict = &held["ok"][0]["verdict"];
        assert_eq!(verdict["state"], "held");
        assert_eq!(verdict["holds"][0]["matter"], "case-17");
    }

    #[test]
    fn a_simulation_has_a_timeline_and_days() {
        let simulate = |more: Value| {
            let mut request = json!({
                "ask": "simulate", "rules": rules(), "items": items(),
                "from": "2026-01-15T00:00:00Z", "until": "2026-02-15T00:00:00Z",
            });
            for (key, value) in more.as_object().unwrap() {
                request[key] = value.clone();
            }
            asked(&request)
        };
        let free = simulate(json!({}));
        let states: Vec<&str> = free["ok"]["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["id"] == "37")
            .filter_map(|change| change["state"].as_str())
            .collect();
        assert_eq!(states, ["keep", "eligible", "overdue"]);
        let goes: Vec<(&Value, &Value)> = free["ok"]["days"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|day| day["goes"]["items"] != 0)
            .map(|day| (&day["day"], &day["goes"]["bytes"]))
            .collect();
        assert_eq!(goes, [(&json!("2026-02-01"), &json!(100))]);
        let held = simulate(json!({ "hold": "case-17" }));
        let days = held["ok"]["days"].as_array().unwrap();
        assert!(days.iter().all(|day| day["goes"]["items"] == 0), "{held}");
    }

    #[test]
    fn a_bad_request_is_told_what_is_wrong_where() {
        let errors = |request: &str| {
            let answer: Value = serde_json::from_str(&answer(request)).unwrap();
            let errors = answer["errors"].as_array().unwrap().clone();
            let told = |error: &Value| {
                format!(
                    "{}:{}: {}",
                    error["line"],
                    error["column"],
                    error["message"].as_str().unwrap()
                )
            };
            errors.iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(errors(""), ["1:1: a value is missing"]);
        assert_eq!(errors("[]"), ["1:1: a request is a table, not a list"]);
        assert_eq!(
            errors("{\n \"ask\": \"guess\" }"),
            [
                "1:1: a request lacks rules",
                "2:9: ask is one of check, residency, explain, simulate"
            ]
        );
        let mut request =
            json!({ "ask": "explain", "rules": rules(), "items": items(), "at": "noon" });
        request["items"][0]["tenant"] = json!("me");
        request["items"][1]["bytes"] = json!(-1);
        let found = errors(&request.to_string());
        assert_eq!(found.len(), 3, "{found:?}");
        let mut request = json!({ "ask": "check", "rules": rules() });
        request["rules"]["rule"][0]["class"] = json!(["nothing"]);
        let found = errors(&request.to_string());
        assert!(
            found[0].ends_with("the class nothing is not declared"),
            "{found:?}"
        );
        // what belongs to another question is no key of this one
        let strange = json!({ "ask": "check", "rules": rules(), "at": "2026-01-01T00:00:00Z" });
        assert!(errors(&strange.to_string())[0].ends_with("a request has no key \"at\""));
    }

    #[test]
    fn a_list_of_items_is_read_whole_or_refused() {
        let list = json!({ "format": "covenant/items/v1", "items": items() });
        let read = Items::from_json(&list.to_string()).unwrap();
        assert_eq!(read.as_slice().len(), 2);
        assert_eq!(
            (read.as_slice()[0].bytes, read.as_slice()[0].events.len()),
            (100, 1)
        );
        let mut other = list.clone();
        other["format"] = json!("covenant/items/v2");
        assert!(Items::from_json(&other.to_string()).is_err());
        let mut other = list.clone();
        let event = json!({ "name": "invoice.issued", "at": "2026-01-01T00:00:00Z" });
        for (more, good) in [(ITEM_EVENTS_MAX, true), (ITEM_EVENTS_MAX + 1, false)] {
            other["items"][0]["events"] = vec![event.clone(); more].into();
            let read = Items::from_json(&other.to_string());
            assert_eq!(read.is_ok(), good, "{more} events");
        }
        let mut other = list;
        other["items"][0]["colour"] = json!("red");
        assert!(Items::from_json(&other.to_string()).is_err());
    }
}
