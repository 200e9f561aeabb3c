using CsCheck;
using Hami.Api.Observing;
using Hami.Tests.Given;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Observing;

/// <summary>What nodes tell is summed up by five minutes and kept in PostgreSQL for thirty days.</summary>
public sealed class SummingUpTelemetry
{
    [Fact]
    public void Sums_of_moments_told_in_any_order_and_again_equal_those_of_each_moment_once() =>
        Gen.Select(Gen.Int[0, 299].Array[1, 60], Gen.Int).Sample((seconds, seed) =>
        {
            var (node, random) = (new NodeTelemetry("n0"), new Random(seed));
            var told = seconds.Distinct().ToDictionary(s => s, s => new Measured(random.Next(101), random.NextInt64(80L << 30), 80L << 30, random.Next(100), random.Next(700_000), 1000L * s));
            foreach (var second in seconds)
                Hear(node, Noon.AddSeconds(second), told[second]);

            var sums = Assert.Single(node.Unwritten()).Sums;
            Assert.Equal((told.Count, told.Count), (sums.Seen.Count, sums.Moments));
            Assert.Equal(new(told.Values.Sum(v => (long)v.Busy!), told.Count, (long)told.Values.Max(v => v.Busy)!), sums.Busy);
            Assert.Equal(new(told.Values.Sum(v => v.MemoryBytes!.Value), told.Count, told.Values.Max(v => v.MemoryBytes!.Value)), sums.Memory);
            Assert.Equal(new(told.Values.Sum(v => v.PowerMilliwatt!.Value), told.Count, told.Values.Max(v => v.PowerMilliwatt!.Value)), sums.Power);
            Assert.Equal(new(told.Values.Sum(v => (long)v.TemperatureCelsius!), told.Count, (long)told.Values.Max(v => v.TemperatureCelsius)!), sums.Temperature);
            Assert.Equal(1000L * (told.Keys.Max() - told.Keys.Min()), sums.Energy.Rise(null));
        });

    [Fact]
    public void What_was_told_before_is_known_also_after_its_sums_were_taken_out_to_be_written()
    {
        var node = new NodeTelemetry("n0");
        Assert.Equal(Heard.Taken, Hear(node, Noon, new(10, 1)));
        Assert.Equal(Heard.Known, Hear(node, Noon, new(10, 1)));
        Assert.Single(node.Take(DateTimeOffset.MaxValue));

        Assert.Equal(Heard.Known, Hear(node, Noon, new(10, 1)));
        Assert.Empty(node.Unwritten());
        Assert.Equal(Heard.Taken, Hear(node, Noon.AddSeconds(1), new(10, 1)));
        Assert.Equal(1, Assert.Single(node.Unwritten()).Sums.Busy.Count);
    }

    [Fact]
    public void Seconds_are_written_and_read_as_bits() => Gen.Int[0, 299].HashSet[0, 300].Sample(seconds =>
    {
        var seen = seconds.Aggregate(default(SeenSeconds), (s, second) => s.With(second));
        Assert.Equal(seconds.Count, seen.Count);
        Assert.Equal(string.Concat(Enumerable.Range(0, 300).Select(i => seconds.Contains(i) ? '1' : '0')), seen.ToString());
        Assert.Equal(seen, SeenSeconds.Parse(seen.ToString()));
    });

    [Fact]
    public async Task The_database_adds_rows_up_as_memory_does_whoever_writes_them_in_whatever_parts_and_how_often()
    {
        var database = await TestPostgres.CreateDatabaseAsync();
        await using var source = NpgsqlDataSource.Create(database);
        await TelemetryTables.EnsureAsync(source, default);
        await TelemetryTables.KeepDaysAsync(source, [DateOnly.FromDateTime(Noon.Date)], DateOnly.MinValue, default);
        var number = 0;
        await Gen.Select(Gen.Select(Gen.Int[0, 299], AnyCard).Array[1, 20].Array[1, 5], Gen.Int[0, 3]).SampleAsync(
            async (parts, again) =>
            {
                var key = new UseRowKey(Noon, $"n{Interlocked.Increment(ref number)}", Card("n", 0));
                UseRow[] rows = [.. parts.Select(part => new UseRow(key, "", part.Aggregate(UseSums.None, (s, m) => s.With(m.Item2 with { EnergyMillijoule = m.Item1 * 7 }, m.Item1)) with { Moments = part.Length }))];
                UseRow[] written = [.. rows, .. rows.Take(again)];
                foreach (var row in written)
                    await TelemetryTables.WriteAsync(source, [row], default);

                Assert.Equal(written.Select(r => r.Sums).Aggregate((a, b) => a.Merge(b)), (await RowsAsync(source, key.Node)).Single().Sums);
            },
            iter: 40, threads: 1);
    }

    [Fact]
    public async Task A_restart_in_the_middle_of_a_period_neither_loses_nor_repeats_anything()
    {
        var (database, clock, ledger) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon), LedgerOf.Pods(1, 1));
        var told = Enumerable.Range(0, 60).Select(i => Moment("n0", Noon.AddSeconds(5 * i), new(i, i * 1000, 1 << 30, 40 + i % 5, 1000 * i, 1_000_000 + 200 * i))).ToList();
        await using (var first = new TelemetryProcess(database, clock, ledger))
            Tell(first, clock, told.Take(25));
        await using var second = new TelemetryProcess(database, clock, ledger);
        Tell(second, clock, told.Skip(25));
        // As a page shows it before the period is written, and after.
        var before = await second.TrendAsync(new(), Noon, Noon.AddMinutes(5), 300);
        clock.SetUtcNow(Noon.AddMinutes(6));
        await second.WriteAsync();
        var after = await second.TrendAsync(new(), Noon, Noon.AddMinutes(5), 300);

        var expected = Points(told.Select(t => ("n0", t)), (_, key) => key.IsCard, false, Noon, Noon.AddMinutes(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5));
        AssertSame(expected, before.Points);
        AssertSame(expected, after.Points);
        Assert.Equal(0.2 * 59, after.Points.Single().EnergyJoules!.Value, 6);
        Assert.Equal(60, (await RowsAsync(database, "n0")).Single(r => r.Key.Series.IsCard).Sums.Seen.Count);
    }

    [Fact]
    public async Task Two_processes_that_each_heard_a_part_of_a_period_write_one_row_and_what_both_heard_changes_no_extreme()
    {
        var (database, clock, ledger) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon), LedgerOf.Pods(1, 1));
        await using var one = new TelemetryProcess(database, clock, ledger);
        await using var two = new TelemetryProcess(database, clock, ledger);
        var told = Enumerable.Range(0, 60).Select(i => Moment("n0", Noon.AddSeconds(5 * i), new(i, 1000 * i))).ToList();
        Tell(one, clock, told.Take(30));
        // The answer to the last report was lost: it is told again, to the other.
        Tell(two, clock, told.Skip(28));
        clock.SetUtcNow(Noon.AddMinutes(6));
        await Task.WhenAll(one.WriteAsync(), two.WriteAsync());

        var sums = Assert.Single(await RowsAsync(database, "n0")).Sums;
        Assert.Equal(60, sums.Seen.Count);
        Assert.Equal(59, sums.Busy.Max);
        Assert.InRange(sums.Busy.Average!.Value, 29.5 - 0.5, 29.5 + 0.5);
    }

    [Fact]
    public async Task Rows_that_were_written_although_the_answer_was_lost_are_written_again_without_effect()
    {
        var (database, clock, ledger) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon), LedgerOf.Pods(1, 1));
        await using var process = new TelemetryProcess(database, clock, ledger);
        Tell(process, clock, [Moment("n0", Noon, new(50, 1000))]);
        var rows = process.Rollups.Unwritten.ToList();
        clock.SetUtcNow(Noon.AddMinutes(6));
        await process.WriteAsync();
        await using var source = NpgsqlDataSource.Create(database);
        await TelemetryTables.WriteAsync(source, rows, default);

        Assert.Equal(rows.Single().Sums, (await RowsAsync(database, "n0")).Single().Sums);
    }

    [Fact]
    public async Task While_PostgreSQL_is_away_reports_are_taken_and_their_sums_are_written_once_it_is_back()
    {
        var (known, clock, ledger) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon), LedgerOf.Pods(1, 1));
        var away = new NpgsqlConnectionStringBuilder(known) { Database = $"test_{Guid.NewGuid():N}" };
        await using var process = new TelemetryProcess(away.ConnectionString, clock, ledger);
        for (var period = 0; period < 4; period++)
        {
            Tell(process, clock, Enumerable.Range(0, 60).Select(i => Moment("n0", Noon.AddMinutes(5 * period).AddSeconds(5 * i), new(i, 1000))));
            clock.SetUtcNow(Noon.AddMinutes(5 * period + 6));
            await Assert.ThrowsAnyAsync<NpgsqlException>(process.WriteAsync);
        }
        Assert.Equal(4, process.Rollups.Waiting);
        await using (var source = NpgsqlDataSource.Create(known))
        await using (var create = source.CreateCommand($"create database {away.Database}"))
            await create.ExecuteNonQueryAsync();
        await process.WriteAsync();

        Assert.Equal(0, process.Rollups.Waiting);
        Assert.Equal([60, 60, 60, 60], (await RowsAsync(away.ConnectionString, "n0")).Select(r => r.Sums.Seen.Count));
    }

    [Fact]
    public async Task Sums_are_kept_for_thirty_days_and_dropped_by_the_day()
    {
        var (database, clock, ledger) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon.AddDays(-31)), LedgerOf.Pods(1, 1));
        await using var process = new TelemetryProcess(database, clock, ledger);
        foreach (var day in (int[])[-31, -30, -1, 0])
        {
            clock.SetUtcNow(Noon.AddDays(day));
            Tell(process, clock, [Moment("n0", Noon.AddDays(day), new(50, 1000))]);
            clock.SetUtcNow(Noon.AddDays(day).AddMinutes(6));
            await process.WriteAsync();
            clock.SetUtcNow(Noon.AddDays(day).AddMinutes(50));
            await process.WriteAsync();
        }

        Assert.Equal([Noon.AddDays(-30), Noon.AddDays(-1), Noon], (await RowsAsync(database, "n0")).Select(r => r.Key.Period));
        var trend = await process.TrendAsync(new(), Noon.AddDays(-32), Noon.AddDays(1), 86400);
        Assert.Equal(
            [Noon.AddDays(-30).Date, Noon.AddDays(-1).Date, Noon.Date], trend.Points.Where(p => p.Busy is not null).Select(p => p.At.Date));
    }

    [Fact]
    public async Task Without_telemetry_nothing_is_created_in_the_database()
    {
        var (database, clock) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon));
        await using var process = new TelemetryProcess(database, clock, LedgerOf.Pods(1, 1));
        await process.WriteAsync();

        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand("select to_regnamespace('hami_telemetry') is null");
        Assert.Equal(true, await command.ExecuteScalarAsync());
        Assert.All((await process.TrendAsync(new(), Noon.AddHours(-1), Noon, 300)).Points, p => Assert.Equal(new(p.At, null, null, null, null, null, null, null, null), p));
    }

    [Fact]
    public async Task Trends_equal_a_count_over_all_moments_that_were_told()
    {
        var round = 0;
        await Gen.Int.SampleAsync(
            async seed =>
            {
                var random = new Random(seed);
                var (database, start) = (await TestPostgres.CreateDatabaseAsync(), Noon.AddMinutes(random.Next(10)));
                var (clock, ledger) = (new FakeTimeProvider(start), LedgerOf.Pods(2, 3));
                await using var process = new TelemetryProcess(database, clock, ledger);
                var told = await TellForAWhileAsync(process, clock, random, random.Next(10, 55));
                var end = clock.GetUtcNow();
                foreach (var of in new UsageOf[] { new(), new() { Node = "n1" }, new() { DeviceUuid = "GPU-n0-1" }, new() { Namespace = "a" }, new() { PodUid = "n1-p1" }, new() { Namespace = "b", Node = "n0" } })
                {
                    var step = 300 * random.Next(1, 4);
                    var trend = await process.TrendAsync(of, start, end, step);
                    var expected = Points(
                        told, (node, key) => Takes(of, node, key), of.IsOfShares, trend.From, trend.To, TimeSpan.FromSeconds(step), TimeSpan.FromMinutes(5));
                    AssertSame(expected, trend.Points);
                }
                round++;
            },
            iter: 4, threads: 1);
        Assert.True(round >= 4);
    }

    [Fact]
    public async Task Short_steps_of_the_last_minutes_come_from_memory_and_equal_the_same_count()
    {
        var (random, clock, ledger) = (new Random(5), new FakeTimeProvider(Noon), LedgerOf.Pods(2, 3));
        await using var process = new TelemetryProcess(await TestPostgres.CreateDatabaseAsync(), clock, ledger);
        var told = await TellForAWhileAsync(process, clock, random, minutes: 12, wholeSteps: true);

        foreach (var (of, step) in new (UsageOf, int)[] { (new(), 5), (new() { Node = "n0" }, 15), (new() { Namespace = "b" }, 60), (new() { PodUid = "n1-p2" }, 10) })
        {
            var trend = await process.TrendAsync(of, Noon, clock.GetUtcNow(), step);
            AssertSame(
                Points(told, (node, key) => Takes(of, node, key), of.IsOfShares, trend.From, trend.To, TimeSpan.FromSeconds(step), TimeSpan.FromSeconds(step)), trend.Points);
        }
    }

    [Fact]
    public async Task Energy_of_a_card_adds_up_over_periods_and_begins_anew_with_its_driver()
    {
        var (database, clock, ledger) = (await TestPostgres.CreateDatabaseAsync(), new FakeTimeProvider(Noon), LedgerOf.Pods(1, 1));
        await using var process = new TelemetryProcess(database, clock, ledger);
        // 200 W for ten minutes; then the driver is loaded anew and counts from zero.
        long Energy(int second) => second <= 600 ? 5_000_000L + 200_000L * second : 200_000L * (second - 605);
        for (var second = 0; second < 900; second += 5)
        {
            clock.SetUtcNow(Noon.AddSeconds(second));
            process.Live.Hear(Report("n0", Moment("n0", Noon.AddSeconds(second), new(1, 1, EnergyMillijoule: Energy(second)))));
        }
        foreach (var minutes in new[] { 16, 60 })
        {
            clock.SetUtcNow(Noon.AddMinutes(minutes));
            await process.WriteAsync();
            foreach (var of in new UsageOf[] { new(), new() { Node = "n0" } })
            {
                var joules = (await process.TrendAsync(of, Noon, Noon.AddMinutes(15), 300)).Points.Select(p => p.EnergyJoules);
                // From 12:00:00 to 12:04:55, to 12:09:55, and then what it says since its start.
                Assert.Equal([200 * 295.0, 200 * 300.0, 200 * 290.0], joules);
            }
        }
    }

    private static bool Takes(UsageOf of, string node, UseKey key) =>
        key.IsCard != of.IsOfShares && (of.Node is null || of.Node == node) && (of.DeviceUuid is null || of.DeviceUuid == key.DeviceUuid)
        && (key.IsCard || ((of.PodUid is null || of.PodUid == key.PodUid) && (of.Namespace is null || of.Namespace == (key.PodUid[^1] % 2 == 0 ? "a" : "b"))));

    /// <summary>Two nodes tell of two cards and up to three pods each for a while, and what is due is written.</summary>
    private static async Task<List<(string Node, HeardMoment Moment)>> TellForAWhileAsync(TelemetryProcess process, FakeTimeProvider clock, Random random, int minutes, bool wholeSteps = false)
    {
        var (told, end) = (new List<(string, HeardMoment)>(), clock.GetUtcNow().AddMinutes(minutes));
        while (clock.GetUtcNow() < end)
        {
            foreach (var node in (string[])["n0", "n1"])
            {
                if (random.Next(10) == 0)
                    continue; // a moment that was not told
                var values = Enumerable.Range(0, 2).Select(c => (Card(node, c), CardValue(random)))
                    .Concat(Enumerable.Range(0, 3).Where(_ => random.Next(4) > 0).Select(p => (Share(node, p), new Measured(random.Next(101), (long)random.Next(40 << 10) << 20)))).ToList();
                var moment = new HeardMoment(clock.GetUtcNow(), values);
                told.Add((node, moment));
                process.Live.Hear(Report(node, moment));
                if (random.Next(8) == 0)
                    process.Live.Hear(Report(node, moment)); // again: no answer came
            }
            clock.Advance(TimeSpan.FromSeconds(wholeSteps ? 5 : 5 + random.Next(3)));
            if (random.Next(3) == 0)
                await process.WriteAsync();
        }
        return told;
    }

    private static Measured CardValue(Random random) => new(
        random.Next(5) == 0 ? null : random.Next(101), random.Next(5) == 0 ? null : (long)random.Next(80 << 10) << 20, 80L << 30, random.Next(5) == 0 ? null : random.Next(20, 95),
        random.Next(5) == 0 ? null : random.Next(700_000));

    private static void Tell(TelemetryProcess process, FakeTimeProvider clock, IEnumerable<HeardMoment> moments)
    {
        foreach (var moment in moments)
        {
            if (moment.At > clock.GetUtcNow())
                clock.SetUtcNow(moment.At);
            process.Live.Hear(Report("n0", moment));
        }
    }

    private static Heard Hear(NodeTelemetry node, DateTimeOffset at, Measured value)
    {
        var leftOut = 0;
        return node.Hear(Moment("n0", at, value), at, _ => null, () => true, ref leftOut);
    }

    private static async Task<List<UseRow>> RowsAsync(string database, string node)
    {
        await using var source = NpgsqlDataSource.Create(database);
        return await RowsAsync(source, node);
    }

    private static async Task<List<UseRow>> RowsAsync(NpgsqlDataSource source, string node)
    {
        await using var command = source.CreateCommand($"select {TelemetryTables.Selected(ofCards: true)} from {TelemetryTables.Cards} u {TelemetryTables.WithSeries} where s.node = $1 order by u.period");
        command.Parameters.Add(new() { Value = node });
        await using var rows = await command.ExecuteReaderAsync();
        var all = new List<UseRow>();
        while (await rows.ReadAsync())
            all.Add(TelemetryTables.Row(rows));
        return all;
    }
}
