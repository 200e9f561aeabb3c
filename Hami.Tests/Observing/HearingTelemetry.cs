extern alias api;

using api::Hami.Telemetry.V1;
using Hami.Api.Observing;
using Hami.Domain.Ledger;
using Microsoft.Extensions.Time.Testing;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Observing;

/// <summary>What nodes tell is looked at before it is taken, and bounded.</summary>
public sealed class HearingTelemetry
{
    [Fact]
    public void Values_that_no_card_can_have_count_as_unknown_and_are_said_once()
    {
        var report = Report("n0", Enumerable.Range(0, 3).Select(i => Moment("n0", Noon.AddSeconds(i), new(50, 1 << 20, 1 << 30, 60, 1000, 5))));
        foreach (var moment in report.Moments)
            (moment.Cards[0].Busy, moment.Cards[0].MemoryUsedBytes, moment.Cards[0].TemperatureCelsius, moment.Cards[0].PowerMilliwatt) = (255, ulong.MaxValue, -274, uint.MaxValue);
        var refused = new List<string>();

        var moments = TelemetryReading.Read(report, Noon, refused);

        Assert.Equal(3, moments.Count);
        Assert.All(moments, m => Assert.Equal(new Measured(null, null, 1 << 30, null, null, 5), m.Values.Single().Value));
        Assert.Equal(
            [
                "busy is 255; it must be from 0 to 100 percent, and counts as unknown.",
                "memory_used_bytes is 18446744073709551615; it must be from 0 to 4398046511104 bytes, and counts as unknown.",
                "temperature_celsius is -274; it must be from -50 to 200 °C, and counts as unknown.",
                "power_milliwatt is 4294967295; it must be from 0 to 10000000 mW, and counts as unknown.",
            ],
            refused);
    }

    [Fact]
    public void What_the_driver_tells_beside_its_use_is_of_the_latest_moment_and_looked_at_before_it_is_taken()
    {
        var time = new FakeTimeProvider(Noon);
        var telemetry = new LiveTelemetry(new LedgerOf(ClusterLedger.Empty), time);
        telemetry.Hear(Told(Noon, "580.159.04", 72, 35, 79));
        Assert.Equal(("580.159.04", new CardFacts(72, 35, 79)), Known());
        // One that arrives late says nothing of now.
        telemetry.Hear(Told(Noon.AddSeconds(-5), "570.1", 50, 10, 0));
        Assert.Equal(("580.159.04", new CardFacts(72, 35, 79)), Known());

        var answer = telemetry.Hear(Told(Noon.AddSeconds(5), "a b", -274, 201, 10_000));
        Assert.Equal((null, new CardFacts(null, null, null)), Known());
        Assert.Equal(
            [
                "memory_temperature_celsius is -274; it must be from -50 to 200 °C, and counts as unknown.",
                "fan_percent is 201; it must be from 0 to 200 percent, and counts as unknown.",
                "last_xid is 10000; it must be from 0 to 9999 as a number, and counts as unknown.",
                "driver_version is no version: it must have 1 to 79 characters without spaces, and counts as unknown.",
            ],
            answer.Refused);
        // What nobody has told of for long is not known any more.
        telemetry.Hear(Told(Noon.AddSeconds(10), "580.159.04", 72, 35, 79));
        time.Advance(TimeSpan.FromHours(1));
        Assert.Same(HeardFacts.None, telemetry.FactsOf("n0"));

        (string?, CardFacts) Known() => (telemetry.FactsOf("n0").DriverVersion, telemetry.FactsOf("n0").Cards.Values.Single());

        ReportRequest Told(DateTimeOffset at, string version, int celsius, uint fan, uint xid)
        {
            var report = Report("n0", Moment("n0", at, new(50, 1 << 20)));
            report.DriverVersion = version;
            (report.Cards[0].MemoryTemperatureCelsius, report.Cards[0].FanPercent, report.Cards[0].LastXid) = (celsius, fan, xid);
            return report;
        }
    }

    [Fact]
    public void Moments_too_old_or_ahead_are_left_out_and_the_others_taken()
    {
        var refused = new List<string>();
        var report = Report("n0", Moment("n0", Noon.AddMinutes(-31), new(1, 1)), Moment("n0", Noon.AddMinutes(-29), new(2, 1)), Moment("n0", Noon.AddSeconds(59), new(3, 1)), Moment("n0", Noon.AddSeconds(61), new(4, 1)));
        report.Moments.Add(new Moment { UnixMs = long.MaxValue });
        report.Moments.Add(new Moment { UnixMs = long.MinValue });

        Assert.Equal([2, 3], TelemetryReading.Read(report, Noon, refused).Select(m => m.Values.Single().Value.Busy));
        Assert.Equal(2, refused.Count);
    }

    [Fact]
    public void A_report_that_makes_no_sense_is_refused_with_a_sentence()
    {
        const string Name = "A name in the report is empty, longer than 253 characters, or has characters that no name has.";
        foreach (var (sentence, spoil) in new (string, Action<ReportRequest>)[]
        {
            ("A report has 61 moments; it may have 60.", r => r.Moments.AddRange(Enumerable.Range(0, 60).Select(_ => new Moment()))),
            ("A report tells of 1025 shares; a node may have 1024.", r => r.Shares.AddRange(Enumerable.Range(0, 1025).Select(_ => new api::Hami.Telemetry.V1.Share()))),
            ("A sample is of position 7, but the report names 1 there.", r => r.Moments[0].Cards.Add(new CardSample { Card = 7 })),
            (Name, r => r.Cards[0].Uuid = ""), (Name, r => r.Cards[0].Uuid = new('x', 254)), (Name, r => r.Cards[0].Uuid = "GPU-\0"),
        })
        {
            var report = Report("n0", Moment("n0", Noon, new(1, 1)));
            spoil(report);
            Assert.Equal(sentence, Assert.Throws<ReportRefusedException>(() => TelemetryReading.Read(report, Noon, [])).Message);
        }
    }

    [Fact]
    public void A_node_that_tells_of_ever_new_cards_is_held_to_its_limit_and_others_are_heard()
    {
        var (clock, live) = Live();
        for (var i = 0; i < 20; i++)
        {
            var report = Report("bad", new HeardMoment(clock.GetUtcNow(), [.. Enumerable.Range(0, 64).Select(c => (new UseKey($"GPU-{i}-{c}", "", ""), new Measured(1, 1)))]));
            var answer = live.Hear(report);
            Assert.Equal(i == 0 ? 0 : 1, answer.Refused.Count);
            clock.Advance(TimeSpan.FromSeconds(5));
        }
        live.Hear(Report("n0", Moment("n0", clock.GetUtcNow(), new(1, 1))));

        Assert.Equal(65, live.SeriesCount);
        Assert.Single(live.NowOf("n0"));
    }

    [Fact]
    public void A_node_that_reports_too_often_waits_and_others_do_not()
    {
        var (clock, live) = Live();
        for (var i = 0; i < TelemetryLimits.Burst; i++)
            live.Hear(Report("n0"));
        Assert.Throws<TooManyReportsException>(() => live.Hear(Report("n0")));
        live.Hear(Report("n1"));
        clock.Advance(TimeSpan.FromSeconds(1));
        live.Hear(Report("n0"));
        Assert.Throws<TooManyReportsException>(() => live.Hear(Report("n0")));
    }

    [Fact]
    public void Shares_of_pods_that_the_log_does_not_know_on_the_node_are_left_out()
    {
        var (_, live) = Live();
        var answer = live.Hear(Report("n0", new HeardMoment(Noon, [(Share("n0", 0), new(10, 1)), (Share("n1", 0), new(20, 1)), (Share("n0", 9), new(30, 1))])));

        Assert.Equal([10], live.NowOf("n0").Select(n => n.Value.Busy));
        Assert.Single(answer.Refused);
    }

    [Fact]
    public void What_was_told_is_shown_for_a_minute_and_then_not_known()
    {
        var (clock, live) = Live();
        live.Hear(Report("n0", Moment("n0", Noon, new(10, 1))));
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Single(live.NowOf("n0"));
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Empty(live.NowOf("n0"));
        Assert.Null(CardsUsage.Of(live.NowOf("n0")));
    }

    [Fact]
    public void A_late_report_of_an_earlier_moment_does_not_take_the_place_of_what_is_now()
    {
        var (_, live) = Live();
        live.Hear(Report("n0", Moment("n0", Noon, new(10, 1))));
        live.Hear(Report("n0", Moment("n0", Noon.AddSeconds(-20), new(90, 1))));

        Assert.Equal(10, live.NowOf("n0").Single().Value.Busy);
        Assert.Equal([90, 10], live.Nodes.Single().Between(Noon.AddMinutes(-1), Noon.AddMinutes(1)).OrderBy(v => v.At).Select(v => v.Value.Busy));
    }

    [Fact]
    public void Memory_keeps_fifteen_minutes_of_a_node_and_forgets_what_nobody_tells_of()
    {
        var (clock, live) = Live();
        for (var i = 0; i < 400; i++)
        {
            live.Hear(Report("n0", new HeardMoment(clock.GetUtcNow(), i < 100 ? [(Card("n0", 0), new(i % 100, 1)), (Share("n0", 0), new(1, 1))] : [(Card("n0", 0), new(i % 100, 1))])));
            clock.Advance(TimeSpan.FromSeconds(5));
        }
        var kept = live.Nodes.Single().Between(DateTimeOffset.MinValue, DateTimeOffset.MaxValue);
        Assert.Equal(180, kept.Count);
        Assert.Equal(clock.GetUtcNow().AddSeconds(-900), kept.Min(k => k.At));

        live.Forget();
        Assert.Equal(1, live.SeriesCount);
        foreach (var node in live.Nodes)
            node.Take(DateTimeOffset.MaxValue);
        clock.Advance(TimeSpan.FromHours(1));
        live.Forget();
        Assert.Equal(0, live.SeriesCount);
        Assert.Empty(live.Nodes);
    }

    [Fact]
    public void A_card_takes_no_more_than_two_thousand_bytes_and_a_share_no_more_than_eleven_hundred()
    {
        Assert.InRange(Bytes(isCard: true), 1800, 2000);
        Assert.InRange(Bytes(isCard: false), 900, 1100);
    }

    private static long Bytes(bool isCard)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var ring = new TelemetryRing(isCard);
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(ring);
        return bytes;
    }

    private static (FakeTimeProvider Clock, LiveTelemetry Live) Live()
    {
        var clock = new FakeTimeProvider(Noon);
        return (clock, new(LedgerOf.Pods(2, 2), clock));
    }
}
