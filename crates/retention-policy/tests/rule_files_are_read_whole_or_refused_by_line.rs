//! Rule files in TOML and JSON: read to the same rules, written back to themselves, refused with
//! every mistake at its line, and described by a JSON Schema that agrees with the reader.
#![cfg(feature = "serde")]

#[cfg(test)]
mod cases {
    use retention_policy::{
        FILE_LEN_BYTES_MAX, FileErrorKind, FileErrors, RULES_SCHEMA, RuleError, RuleSet, RulesFile,
    };
    use serde_json::{Value, json};

    const FULL: &str = include_str!("data/full.toml");

    fn told(errors: &FileErrors) -> Vec<String> {
        errors.as_slice().iter().map(ToString::to_string).collect()
    }

    fn mistakes(toml: &str) -> Vec<String> {
        told(&RuleSet::from_toml(toml).expect_err("it must be refused"))
    }

    #[test]
    fn toml_and_json_are_the_same_rules_and_write_back_to_themselves() {
        let toml = RuleSet::from_toml(FULL).unwrap();
        let text = RulesFile::from_toml(FULL).unwrap().to_json();
        let json = RuleSet::from_json(&text).unwrap();
        assert_eq!(toml, json);
        assert_eq!(toml.canonical(), json.canonical());
        assert_eq!(json.file().to_json(), text);
        // the order of tables and lists says nothing
        let mut turned = RulesFile::from_toml(FULL).unwrap();
        turned.rules.reverse();
        turned.classes.reverse();
        turned.stores.reverse();
        for rule in &mut turned.rules {
            rule.waived_by.reverse();
        }
        assert_eq!(turned.to_json(), text);
        let turned = RuleSet::load(turned).unwrap();
        assert_eq!(turned.canonical(), toml.canonical());
    }

    #[test]
    fn each_figure_is_in_the_canonical_bytes() {
        let base = RuleSet::from_toml(FULL).unwrap();
        let mut seen = vec![base.canonical().to_vec()];
        for (old, new) in [
            ("+09:00", "+09:30"),
            ("\"elapsed\", \"end-of-day\"", "\"elapsed\""),
            (
                "category = \"content\", plain",
                "category = \"contact\", plain",
            ),
            ("the list is sorted by it", "it is shown in lists"),
            ("every = \"PT1H\"", "every = \"PT2H\""),
            ("lag = \"PT1H\"", "lag = \"PT2H\""),
            ("epoch = \"P1D\"", "epoch = \"P2D\""),
            ("[\"delete\", \"key\"]", "[\"delete\"]"),
            ("copies = \"P5D\"", "copies = \"P4D\""),
            ("after = \"P8Y\"", "after = \"P9Y\""),
            ("late = \"PT25H\"", "late = \"PT26H\""),
            ("act = \"late\"\n", "act = \"early\"\n"),
            ("authority = \"contract\"", "authority = \"vendor\""),
            (
                "overrides = [\"bin-ceiling\"]",
                "overrides = [\"bin-floor\"]",
            ),
            ("clause = \"P-51\"", "clause = \"P-53\""),
            ("kind = \"external\"", "kind = \"log\""),
            ("[\"invoice.sent\"]", "[\"invoice.sent\", \"invoice.seen\"]"),
        ] {
            let changed = FULL.replacen(old, new, 1);
            assert_ne!(changed, FULL, "{old}");
            let changed = RuleSet::from_toml(&changed).map_err(|e| told(&e)).unwrap();
            let bytes = changed.canonical().to_vec();
            assert!(
                !seen.contains(&bytes),
                "{old} is not in the canonical bytes"
            );
            seen.push(bytes);
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "\
format = \"covenant/rules/v2\"
colour = \"red\"

[reading]
zones = [\"Moon\"]
day = [\"today\"]

[[store]]
id = \"rows\"
erase = [\"burn\"]

[[rule]]
bound = \"floor\"
class = \"record\"
period = 30
";
        assert_eq!(
            mistakes(text),
            [
                "1:10: format is \"covenant/rules/v1\"",
                "2:1: the file has no key \"colour\"",
                "5:10: no zone of that name in the table",
                "6:8: day is one of elapsed, end-of-day",
                "8:1: store lacks kind",
                "10:10: erase is one of delete, clear, key, attest",
                "12:1: rule lacks id",
                "14:9: class is a list, not a text",
                "15:10: period is a text, not an integer",
            ]
        );
        assert_eq!(
            mistakes("a = [\n")
                .first()
                .map(|line| line.split(':').next().map(str::to_owned)),
            Some(Some("1".to_owned()))
        );
        // no default stands in for a period that was left out
        let open = "\n[[rule]]\nid = \"open\"\nclass = [\"record\"]\nbound = \"floor\"\nfrom = \"record.deleted\"\n";
        let line = FULL.lines().count() + 2;
        assert_eq!(
            mistakes(&format!("{FULL}{open}")),
            [format!("{line}:1: rule open: period is missing")]
        );
        // what the rules say, at the table that says it
        let twice =
            format!("{FULL}\n[[rule]]\nid = \"tax\"\nclass = [\"nothing\"]\nbound = \"ceiling\"\n");
        let line = FULL
            .lines()
            .position(|line| line == "id = \"tax\"")
            .unwrap();
        let last = FULL.lines().count() + 2;
        let found = mistakes(&twice);
        assert!(
            found
                .iter()
                .all(|error| error.starts_with(&format!("{line}:"))
                    || error.starts_with(&format!("{last}:"))),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .any(|error| error.ends_with("the class nothing is not declared"))
        );
        assert!(found.iter().any(|error| error.ends_with("from is missing")));
        let early = FULL.replacen("late = \"PT25H\"", "late = \"PT1H\"", 1);
        let at = FULL
            .lines()
            .position(|line| line == "id = \"bin-ceiling\"")
            .unwrap();
        assert_eq!(
            mistakes(&early),
            [format!(
                "{at}:1: rules bin-ceiling, bin-floor cannot all hold: on every date"
            )]
        );
    }

    #[test]
    fn a_file_is_at_most_a_mebibyte() {
        let padded = |len: usize| format!("{FULL}#{}", "x".repeat(len - FULL.len() - 1));
        assert!(RuleSet::from_toml(&padded(FILE_LEN_BYTES_MAX)).is_ok());
        let errors = RuleSet::from_toml(&padded(FILE_LEN_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(errors.as_slice()[0].kind, FileErrorKind::TooLong);
    }

    /// Whether the reader refuses the shape of a value, as the schema can see it.
    fn refuses_shape(value: &Value) -> bool {
        let Err(errors) = RuleSet::from_json(&value.to_string()) else {
            return false;
        };
        errors.as_slice().iter().any(|error| match &error.kind {
            FileErrorKind::Rule(error) => matches!(
                error,
                RuleError::Name { .. }
                    | RuleError::Clause { .. }
                    | RuleError::Period { .. }
                    | RuleError::Tolerance { .. }
                    | RuleError::Missing { .. }
                    | RuleError::Misplaced { .. }
                    | RuleError::TooMany { .. }
            ),
            _ => true,
        })
    }

    /// Every value that differs from this one at one place.
    fn neighbours(value: &Value) -> Vec<Value> {
        let strange = [
            json!(null),
            json!(true),
            json!(7),
            json!("?!"),
            json!(["?!"]),
            json!({"?!": 1}),
        ];
        let mut all: Vec<Value> = strange.to_vec();
        match value {
            Value::Object(map) => {
                let mut more = map.clone();
                more.insert("colour".into(), json!("red"));
                all.push(Value::Object(more));
                for (key, inner) in map {
                    let mut less = map.clone();
                    less.remove(key);
                    all.push(Value::Object(less));
                    for neighbour in neighbours(inner) {
                        let mut changed = map.clone();
                        changed.insert(key.clone(), neighbour);
                        all.push(Value::Object(changed));
                    }
                }
                for key in ["from", "to", "until", "period", "early", "late"] {
                    if !map.contains_key(key) {
                        let mut more = map.clone();
                        let text = if key.ends_with("ly") || key == "late" || key == "period" {
                            "PT1H"
                        } else {
                            "x.y"
                        };
                        more.insert(key.into(), json!(text));
                        all.push(Value::Object(more));
                    }
                }
            }
            Value::Array(items) => {
                all.push(json!([]));
                for (at, inner) in items.iter().enumerate() {
                    for neighbour in neighbours(inner) {
                        let mut changed = items.clone();
                        changed[at] = neighbour;
                        all.push(Value::Array(changed));
                    }
                }
            }
            _ => {}
        }
        all
    }

    #[test]
    fn the_schema_and_the_reader_agree() {
        let schema: Value = serde_json::from_str(RULES_SCHEMA).unwrap();
        jsonschema::meta::validate(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let text = RulesFile::from_toml(FULL).unwrap().to_json();
        let full: Value = serde_json::from_str(&text).unwrap();
        assert!(validator.is_valid(&full) && !refuses_shape(&full));
        let all = neighbours(&full);
        let mut refused = 0;
        for one in &all {
            // names of zones are a table of their own, and the calendar knows its days
            let zone = one.pointer("/reading/zones/0") == Some(&json!("?!"))
                || one.pointer("/reading/zones") == Some(&json!(["?!"]));
            if zone {
                assert!(refuses_shape(one));
                continue;
            }
            let valid = validator.is_valid(one);
            assert_eq!(valid, !refuses_shape(one), "{one}");
            refused += usize::from(!valid);
        }
        assert!(
            refused > 500 && refused < all.len(),
            "{refused} of {}",
            all.len()
        );
    }

    #[test]
    fn the_caps_are_those_of_the_schema() {
        let schema: Value = serde_json::from_str(RULES_SCHEMA).unwrap();
        let cap = |list: &str| {
            schema
                .pointer(&format!("/properties/{list}/maxItems"))
                .cloned()
        };
        assert_eq!(cap("rule"), Some(json!(retention_policy::RULES_MAX)));
        assert_eq!(cap("class"), Some(json!(retention_policy::CLASSES_MAX)));
        assert_eq!(cap("store"), Some(json!(retention_policy::STORES_MAX)));
        assert_eq!(cap("key"), Some(json!(retention_policy::KEYS_MAX)));
        let many = |count: usize| {
            let mut file = RulesFile::from_toml(FULL).unwrap();
            let key = file.keys[0].clone();
            file.keys = (0..count)
                .map(|at| retention_policy::KeySpec {
                    id: format!("key-{at}"),
                    ..key.clone()
                })
                .collect();
            RuleSet::load(file)
        };
        assert!(many(64).is_ok());
        assert_eq!(
            many(65).unwrap_err().as_slice(),
            [RuleError::TooMany {
                what: "keys",
                max: 64
            }]
        );
    }
}
