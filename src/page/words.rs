//! What a page says, in English and Korean beside each other. Names of files, commands and config keys are not
//! translated, and neither is what the program and the service say.

use indicatif::{BinaryBytes, HumanCount};
use jiff::civil::Date;

use super::calendar::Day;
use super::lang::Lang;
use super::state::State;
use crate::domain::second_opinion::Way;
use crate::domain::span::UtcMs;
use crate::domain::window::{Window, Zone};

macro_rules! words {
    ($($name:ident: $en:literal, $ko:literal;)*) => {
        impl Lang {
            $(pub(super) const fn $name(self) -> &'static str {
                match self {
                    Self::En => $en,
                    Self::Ko => $ko,
                }
            })*
        }
    };
}

words! {
    title: "Coverage of the archive", "로그 보관 현황";
    skip: "Skip to the content", "본문으로 건너뛰기";
    skip_calendar: "Skip this calendar", "이 달력 건너뛰기";
    as_of: "As of", "기준 시각:";
    jobs: "Jobs", "작업";
    no_jobs: "No job is enabled.", "활성화된 작업이 없습니다.";
    legend: "What the marks mean", "표시 설명";
    legend_of_day: "A day shows the worst of its windows.", "하루에는 그날의 구간 중 가장 나쁜 상태가 표시됩니다.";
    retired: "retired: the config has it no more", "종료됨: 설정에 더 이상 없는 작업";
    disabled: "not enabled", "비활성화됨";
    problem: "This job needs attention", "이 작업은 조치가 필요합니다";
    not_known: "What is archived is not known.", "보관 현황을 알 수 없습니다.";
    covered_until: "Covered without a gap until", "빠짐없이 보관된 마지막 시점";
    since: "Since", "보관 시작 시점";
    since_when: "since", "발생 시각";
    due_windows: "Windows due", "보관해야 할 구간";
    archived: "Archived", "보관된 양";
    confirmed: "Confirmed windows", "교차 확인된 구간";
    last_success: "Last archived at", "마지막 보관 시각";
    circuit: "Circuit breaker", "서킷 브레이커";
    circuit_closed: "closed", "닫힘(정상)";
    circuit_open: "open: nothing is asked for until its pause is over", "열림: 대기 시간이 끝날 때까지 요청하지 않습니다";
    circuit_unknown: "only the daemon knows", "데몬만 알 수 있습니다";
    service_down: "the service is down", "서비스 장애";
    asked_next: "asked next at", "다음 요청 시각";
    nothing_yet: "nothing yet", "아직 없음";
    none: "none", "없음";
    missing: "What is missing", "보관되지 않은 구간";
    nothing_missing: "Nothing that is due is missing.", "보관해야 할 구간 중 빠진 것이 없습니다.";
    span: "Span", "기간";
    state: "State", "상태";
    windows: "Windows", "구간 수";
    deadline: "Lost from", "소실 예정 시각";
    deadline_unknown: "not known: the job has no `retention`", "알 수 없음: 작업에 `retention` 설정이 없습니다";
    is_over: "over", "기한 지남";
    errors: "Last errors", "최근 오류";
    no_errors: "No window that is due has failed.", "보관해야 할 구간 중 실패한 것이 없습니다.";
    calendar: "Calendar", "달력";
    earlier: "Earlier", "이전 기간";
    today: "Up to today", "오늘까지 보기";
    week: "Week from", "주 시작일";
    volume: "Volume a week", "주간 보관량";
    as_table: "The same as a table", "표로 보기";
    records: "Records", "레코드 수";
    bytes: "Bytes", "바이트";
    by: "Confirmed by", "교차 확인 방법";
    folder: "Folder", "폴더";
    day_before: "The day before", "전날";
    day_after: "The day after", "다음 날";
    all_jobs: "All jobs", "전체 작업";
    no_windows: "This day has no window.", "이날에는 구간이 없습니다.";
    is_known: "acknowledged", "확인 처리됨";
    manifest: "Manifest", "매니페스트";
    manifest_unread: "manifest.json can't be shown", "manifest.json을 표시할 수 없습니다";
    manifest_path: "Manifest's path, relative to the archive's root", "매니페스트 경로(아카이브 루트 기준)";
    agrees: "it is the manifest that the ledger has recorded", "원장에 기록된 매니페스트와 일치합니다";
    differs: "IT IS NOT the manifest that the ledger has recorded; run `elsa-archiver verify`", "원장에 기록된 매니페스트와 일치하지 않습니다. `elsa-archiver verify`를 실행하십시오";
    pruned: "Its data were let go of (pruned). The manifest proves what was there; a copy elsewhere may have them.", "데이터는 정리되어(prune) 더 이상 없습니다. 매니페스트가 무엇이 있었는지 증명하며, 다른 곳의 사본에 데이터가 남아 있을 수 있습니다.";
    recorded_at: "Recorded at", "기록 시각";
    archived_at: "Archived at", "보관 시각";
    tool: "Written by", "작성 프로그램";
    project: "Project", "프로젝트";
    request: "Request", "요청";
    second_opinion: "Second opinion", "교차 확인 결과";
    reason: "Reason", "사유";
    previous: "Manifest before it", "이전 매니페스트";
    supersedes: "Supersedes", "대체한 폴더";
    digest: "SHA-256", "SHA-256";
    parts: "Parts", "파트";
    files: "Files", "파일";
    path: "Path", "경로";
    attempts: "Attempts", "시도 횟수";
    zip: "Zip as it came", "수신한 zip";
    times_failed: "Failed", "실패 횟수";
    last_failed: "Failed last at", "마지막 실패 시각";
    not_archived: "Nothing is archived of this window.", "이 구간은 보관되지 않았습니다.";
    not_found: "There is no such page", "페이지를 찾을 수 없습니다";
    not_found_text: "The address names no job, day or window that is known here. A window that was archived anew has another name; its day shows it.", "주소에 해당하는 작업, 날짜 또는 구간이 없습니다. 다시 보관된 구간은 이름이 바뀌므로 해당 날짜의 페이지에서 찾으십시오.";
    busy: "The page can't be made now", "지금은 페이지를 만들 수 없습니다";
    busy_text: "Others are asking for pages, or the disk does not answer. Nothing that is archived waits for it. Load the page again.", "다른 요청을 처리하고 있거나 디스크가 응답하지 않습니다. 보관 작업에는 영향이 없습니다. 잠시 후 페이지를 새로 고치십시오.";
    in_report: "Days, window by window", "날짜별 구간";
    back_to_calendar: "Back to the calendar", "달력으로 돌아가기";
    times_in: "Times are in", "시간대:";
    can_be_cured: "It is asked for again by itself. The last error says why it has not been had yet.", "자동으로 다시 요청합니다. 아직 보관하지 못한 이유는 마지막 오류를 참고하십시오.";
}

impl Lang {
    /// A state in a word or two.
    pub(super) const fn name(self, state: State) -> &'static str {
        match (self, state) {
            (Self::En, State::Lost) => "lost",
            (Self::En, State::Gap) => "gap",
            (Self::En, State::Late) => "late",
            (Self::En, State::Truncated) => "truncated",
            (Self::En, State::Unproven) => "unproven",
            (Self::En, State::Acknowledged) => "acknowledged",
            (Self::En, State::Pending) => "not yet due",
            (Self::En, State::Complete) => "complete",
            (Self::En, State::Confirmed) => "confirmed",
            (Self::En, State::Empty) => "empty",
            (Self::En, State::Ended) => "not archived any more",
            (Self::En, State::Before) => "before since",
            (Self::Ko, State::Lost) => "소실",
            (Self::Ko, State::Gap) => "누락",
            (Self::Ko, State::Late) => "지연",
            (Self::Ko, State::Truncated) => "잘림",
            (Self::Ko, State::Unproven) => "미검증",
            (Self::Ko, State::Acknowledged) => "확인 처리됨",
            (Self::Ko, State::Pending) => "대기 중",
            (Self::Ko, State::Complete) => "보관 완료",
            (Self::Ko, State::Confirmed) => "교차 확인됨",
            (Self::Ko, State::Empty) => "비어 있음",
            (Self::Ko, State::Ended) => "보관 종료",
            (Self::Ko, State::Before) => "보관 시작 전",
        }
    }

    /// What a state means.
    pub(super) const fn meaning(self, state: State) -> &'static str {
        match (self, state) {
            (Self::En, State::Lost) => {
                "the service has forgotten it, and nobody has said that this is known"
            }
            (Self::En, State::Gap) => "due and not archived, and something newer is",
            (Self::En, State::Late) => "due and not archived, and nothing newer is",
            (Self::En, State::Truncated) => "archived, and the service may have had more",
            (Self::En, State::Unproven) => "archived, and how complete it is can't be told",
            (Self::En, State::Acknowledged) => {
                "lost, truncated or unproven, and the operator knows"
            }
            (Self::En, State::Pending) => "it has not ended, or late logs may still come",
            (Self::En, State::Complete) => "archived, counted once",
            (Self::En, State::Confirmed) => "archived, and a second ask agrees with the count",
            (Self::En, State::Empty) => "archived; there was no log, and a second ask agrees",
            (Self::En, State::Ended) => "the job is disabled, or the config has it no more",
            (Self::En, State::Before) => "the job does not go back so far",
            (Self::Ko, State::Lost) => {
                "서비스의 보존 기간이 지나 사라졌고, 아직 확인 처리되지 않음"
            }
            (Self::Ko, State::Gap) => "보관 대상이지만 보관되지 않음. 이후 구간은 보관됨",
            (Self::Ko, State::Late) => "보관 대상이지만 보관되지 않음. 이후 구간도 보관되지 않음",
            (Self::Ko, State::Truncated) => "보관됨. 서비스에 로그가 더 있었을 수 있음",
            (Self::Ko, State::Unproven) => "보관됨. 빠짐없이 받았는지 알 수 없음",
            (Self::Ko, State::Acknowledged) => "소실, 잘림 또는 미검증이며, 운영자가 확인 처리함",
            (Self::Ko, State::Pending) => "아직 끝나지 않았거나, 늦게 도착하는 로그를 기다리는 중",
            (Self::Ko, State::Complete) => "보관됨. 건수를 한 번 확인함",
            (Self::Ko, State::Confirmed) => "보관됨. 두 번째 요청에서도 건수가 일치함",
            (Self::Ko, State::Empty) => "보관됨. 로그가 없었고, 두 번째 요청에서도 같음",
            (Self::Ko, State::Ended) => "작업이 비활성화되었거나 설정에 더 이상 없음",
            (Self::Ko, State::Before) => "작업의 보관 범위보다 이전",
        }
    }

    /// A date in full.
    pub(super) fn date(self, date: Date) -> String {
        match self {
            Self::En => date.strftime("%-d %B %Y").to_string(),
            Self::Ko => date.strftime("%Y년 %-m월 %-d일").to_string(),
        }
    }

    /// A month as a heading of a calendar.
    pub(super) fn month(self, date: Date) -> String {
        match self {
            Self::En => date.strftime("%b").to_string(),
            Self::Ko => date.strftime("%-m월").to_string(),
        }
    }

    /// The same with its year.
    pub(super) fn month_of_year(self, date: Date) -> String {
        match self {
            Self::En => date.strftime("%b %Y").to_string(),
            Self::Ko => date.strftime("%Y년 %-m월").to_string(),
        }
    }

    /// The days of a week from Monday on, each short and in full.
    pub(super) const fn weekdays(self) -> [(&'static str, &'static str); 7] {
        match self {
            Self::En => [
                ("Mon", "Monday"),
                ("Tue", "Tuesday"),
                ("Wed", "Wednesday"),
                ("Thu", "Thursday"),
                ("Fri", "Friday"),
                ("Sat", "Saturday"),
                ("Sun", "Sunday"),
            ],
            Self::Ko => [
                ("월", "월요일"),
                ("화", "화요일"),
                ("수", "수요일"),
                ("목", "목요일"),
                ("금", "금요일"),
                ("토", "토요일"),
                ("일", "일요일"),
            ],
        }
    }

    /// From when to when.
    pub(super) fn dates(self, from: Date, to: Date) -> String {
        match self {
            Self::En => format!("{} to {}", self.date(from), self.date(to)),
            Self::Ko => format!("{}부터 {}까지", self.date(from), self.date(to)),
        }
    }

    /// A day of a calendar in words: `1 November 2026: late, 3 of 24 windows are due`.
    pub(super) fn day(self, day: &Day) -> String {
        let date = self.date(day.date);
        let (name, all) = (self.name(day.state), day.tally.all());
        let number = day.tally.of(day.state);
        let due = day.tally.of(State::Gap) + day.tally.of(State::Late);
        match (self, day.state) {
            (_, State::Before | State::Ended) => format!("{date}: {name}"),
            (Self::En, State::Gap | State::Late) => {
                let are = if due == 1 { "is" } else { "are" };
                format!(
                    "{date}: {name}, {due} of {} {are} due",
                    Self::windows_en(all)
                )
            }
            (Self::En, _) => format!("{date}: {name}, {number} of {}", Self::windows_en(all)),
            (Self::Ko, State::Gap | State::Late) => {
                format!("{date}: {name}, 구간 {all}개 중 {due}개를 보관해야 함")
            }
            (Self::Ko, _) => format!("{date}: {name}, 구간 {all}개 중 {number}개"),
        }
    }

    fn windows_en(number: u32) -> String {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} window{plural}")
    }

    /// Up to a day.
    pub(super) fn up_to(self, date: Date) -> String {
        match self {
            Self::En => format!("up to {}", self.date(date)),
            Self::Ko => format!("{}까지", self.date(date)),
        }
    }

    /// How many windows are confirmed, and how many are not.
    pub(super) fn confirmed_of(self, confirmed: u64, not: u64) -> String {
        let (number, all) = (grouped(confirmed), grouped(confirmed.saturating_add(not)));
        match self {
            Self::En => format!("{number} of {all}"),
            Self::Ko => format!("{all}개 중 {number}개"),
        }
    }

    /// How many more there are that are not listed.
    pub(super) fn and_more(self, number: usize) -> String {
        let number = grouped(number as u64);
        match self {
            Self::En => format!("and {number} more"),
            Self::Ko => format!("외 {number}건"),
        }
    }

    /// So many records and bytes.
    pub(super) fn amount(self, records: u64, bytes: u64) -> String {
        let (number, bytes) = (grouped(records), size(bytes));
        match self {
            Self::En if records == 1 => format!("1 record, {bytes}"),
            Self::En => format!("{number} records, {bytes}"),
            Self::Ko => format!("레코드 {number}건, {bytes}"),
        }
    }

    /// How many windows, of which so many are acknowledged.
    pub(super) fn acknowledged(self, number: u64, known: u64) -> String {
        let all = grouped(number);
        match (self, known) {
            (_, 0) => all,
            (Self::En, known) => format!("{all}, {} acknowledged", grouped(known)),
            (Self::Ko, known) => format!("{all}(확인 처리 {})", grouped(known)),
        }
    }

    /// The way that confirmed a count.
    pub(super) const fn way(self, by: Way) -> &'static str {
        match (self, by) {
            (Self::En, Way::Search) => "search",
            (Self::En, Way::Download) => "a second download",
            (Self::En, Way::None) => "nothing",
            (Self::Ko, Way::Search) => "검색",
            (Self::Ko, Way::Download) => "두 번째 다운로드",
            (Self::Ko, Way::None) => "없음",
        }
    }

    /// So many times.
    pub(super) fn times(self, number: u32) -> String {
        match self {
            Self::En if number == 1 => "once".to_owned(),
            Self::En => format!("{number} times"),
            Self::Ko => format!("{number}회"),
        }
    }

    /// The largest week of a chart, for its description.
    pub(super) fn most(self, records: u64) -> String {
        let number = grouped(records);
        match self {
            Self::En => format!("at most {number}"),
            Self::Ko => format!("최대 {number}건"),
        }
    }

    /// The same, of bytes.
    pub(super) fn most_bytes(self, bytes: u64) -> String {
        let bytes = size(bytes);
        match self {
            Self::En => format!("at most {bytes}"),
            Self::Ko => format!("최대 {bytes}"),
        }
    }
}

/// A number with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A number of bytes in the unit that leaves few digits.
pub(super) fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// An instant for people, to the second: `2026-11-01 03:00 +09:00`.
pub(super) fn instant(at: UtcMs, zone: &Zone) -> String {
    let local = at.timestamp().to_zoned(zone.tz().clone());
    let is_whole_minute = local.second() == 0 && at.0.rem_euclid(1000) == 0;
    let form = match is_whole_minute {
        true => "%Y-%m-%d %H:%M %:z",
        false => "%Y-%m-%d %H:%M:%S %:z",
    };
    local.strftime(form).to_string()
}

/// The bounds of a window of a day: `03:00–04:00`, with offsets where its day has two.
pub(super) fn bounds(window: Window, zone: &Zone, is_even: bool) -> String {
    let at = |at: UtcMs| {
        let local = at.timestamp().to_zoned(zone.tz().clone());
        let millisecond = at.0.rem_euclid(1000);
        let form = match (local.second(), millisecond) {
            (0, 0) => "%H:%M",
            (_, 0) => "%H:%M:%S",
            _ => "%H:%M:%S%.3f",
        };
        match is_even {
            true => local.strftime(form).to_string(),
            false => local.strftime(&format!("{form} %:z")).to_string(),
        }
    };
    format!("{}–{}", at(window.from()), at(window.to()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Guarantee: Candid
    #[test]
    fn every_state_has_a_letter_a_class_and_words_of_its_own() {
        let different = |of: &dyn Fn(State) -> &'static str| {
            let all: BTreeSet<&str> = State::ALL.into_iter().map(of).collect();
            all.len()
        };
        assert_eq!(different(&State::letter), 12);
        assert_eq!(different(&State::class), 12);
        for lang in [Lang::En, Lang::Ko] {
            assert_eq!(different(&|state| lang.name(state)), 12);
            assert_eq!(different(&|state| lang.meaning(state)), 12);
        }
    }
}
