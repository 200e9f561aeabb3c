using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Tests.Reading;

/// <summary>The usage ledger: who had how much of which card on which day.</summary>
public sealed class AccountingForUse
{
    private const string Node = "n1";
    private const string Stream = "node/n1/0";
    private const double Hour = 3600;

    [Fact]
    public void Parts_and_idle_add_up_to_the_registered_time_of_every_card_and_day() => KeepingTheReadModels.ForAnyLog(100, log =>
    {
        var until = log.End.AddHours(31);
        var tables = new Tables().Fold(log.Events).AccountedTo(until);

        var given = tables.Usage.GroupBy(u => (u.Day, u.Node, u.DeviceUuid)).ToDictionary(u => u.Key, u => u.Sum(x => x.GpuMicroseconds));
        foreach (var day in tables.CardDays)
        {
            Assert.InRange(day.IdleMicroseconds, 0, day.RegisteredMicroseconds);
            Assert.InRange(day.RegisteredMicroseconds, 0, TimeSpan.TicksPerDay / TimeSpan.TicksPerMicrosecond);
            Assert.Equal(day.RegisteredMicroseconds, day.IdleMicroseconds + given.GetValueOrDefault((day.Day, day.Node, day.DeviceUuid)));
        }
        // The registered time itself, from the log alone.
        Assert.Equal(RegisteredMicroseconds(log, until), tables.CardDays.Sum(d => d.RegisteredMicroseconds));
        Assert.Equal(tables.CardDays.Sum(d => d.RegisteredMicroseconds - d.IdleMicroseconds), given.Values.Sum());
    });

    [Fact]
    public void Memory_and_cores_add_up_to_what_the_ledger_held_over_time() => KeepingTheReadModels.ForAnyLog(100, log =>
    {
        var until = log.End.AddHours(31);
        var tables = new Tables().Fold(log.Events).AccountedTo(until);

        foreach (var @namespace in new[] { "default", "team-a", "team-b" })
        {
            var (memory, cores) = (0m, 0m);
            var (cluster, before) = (ClusterLedger.Empty, log.Events[0].At);
            foreach (var (_, at, stream, happened) in log.Events.Append((0, until, "", null!)))
            {
                var used = cluster.Used.GetValueOrDefault(@namespace, QuotaUse.None);
                memory += (decimal)used.MemoryMiB * Microseconds(before, at);
                cores += (decimal)used.Cores * Microseconds(before, at);
                before = at;
                if (happened is not null)
                    cluster = ClusterLedger.Evolve(cluster, stream, at, happened);
            }
            var rows = tables.Usage.Where(u => u.Namespace == @namespace).ToList();
            Assert.Equal(memory, rows.Sum(u => u.MemoryMiBMicroseconds));
            Assert.Equal(cores, rows.Sum(u => u.CoreMicroseconds));
        }
    });

    [Fact]
    public void A_part_is_the_larger_of_memory_and_core_fraction_and_the_rest_is_idle()
    {
        var tables = Fold(2 * Hour, Registered(0, ("a", 1000)), Placed(0, 1, "x", ("a", 250, 10)), Placed(Hour, 2, "y", ("a", 100, 50)));

        Assert.Equal([("x", 0.5m), ("y", 0.5m)], Gpu(tables));
        Assert.Equal((2m, 1m, 0m), Card(tables));
        Assert.Equal((500m / 1024, 20m), (tables.Usage[0].MemoryGiBHours, tables.Usage[0].CoreHours));
    }

    [Fact]
    public void Parts_that_are_more_than_the_card_are_scaled_down_to_it_and_said_to_be()
    {
        var tables = Fold(3 * Hour, Registered(0, ("a", 1000)), Placed(0, 1, "x", ("a", 900, 0)), Placed(Hour, 2, "y", ("a", 100, 90)), Released(2 * Hour, 1));

        Assert.Equal([("x", 0.9m + 0.5m), ("y", 0.5m + 0.9m)], Gpu(tables));
        Assert.Equal((3m, 0.2m, 1m), Card(tables));
    }

    [Fact]
    public void Three_thirds_of_a_card_leave_not_a_microsecond_over()
    {
        var tables = Fold(1, Registered(0, ("a", 3)), Placed(0, 1, "x", ("a", 1, 0)), Placed(0, 2, "y", ("a", 1, 0)), Placed(0, 3, "z", ("a", 1, 0)));

        Assert.Equal([333_333, 333_333, 333_334], tables.Usage.Select(u => u.GpuMicroseconds));
        Assert.Equal(0, tables.CardDays.Single().IdleMicroseconds);
        Assert.Equal(0, tables.CardDays.Single().OversubscribedMicroseconds);
    }

    [Fact]
    public void Days_are_those_of_UTC()
    {
        var tables = Fold(30 * Hour, Registered(20 * Hour, ("a", 1000)), Placed(23 * Hour, 1, "x", ("a", 1000, 0)));

        Assert.Equal([(1, 1m), (2, 6m)], tables.Usage.Select(u => (u.Day.Day, u.GpuHours)));
        Assert.Equal([(1, 4m, 3m), (2, 6m, 0m)], tables.CardDays.Select(c => (c.Day.Day, Hours.Of(c.RegisteredMicroseconds), Hours.Of(c.IdleMicroseconds))));
    }

    [Fact]
    public void What_only_the_init_containers_needed_counts_until_they_have_ended()
    {
        Share[] shares = [new(0, "prepare", true, "a", 800, 0), new(1, "main", false, "a", 200, 0)];
        var tables = Fold(
            4 * Hour, Registered(0, ("a", 1000)), (0, Adopted(1, "x", shares)), (Hour, new AllocationShrunk(Id(1), "pod-1")), Released(3 * Hour, 1));

        Assert.Equal([("x", 0.8m + 0.4m)], Gpu(tables));
        Assert.Equal([(0, 800L, 1.0), (1, 200L, 2.0)], tables.Holdings.Select(h => (h.Part, h.MemoryMiB, (h.HeldUntil - h.HeldFrom)!.Value.TotalHours)));
    }

    [Fact]
    public void A_card_registered_with_another_size_counts_by_its_size_at_the_time()
    {
        var tables = Fold(2 * Hour, Registered(0, ("a", 1000)), Placed(0, 1, "x", ("a", 500, 0)), Registered(Hour, ("a", 2000)));

        Assert.Equal([("x", 0.5m + 0.25m)], Gpu(tables));
        Assert.Equal((2m, 1.25m, 0m), Card(tables));
    }

    [Fact]
    public void A_cordoned_card_has_its_hours_as_others()
    {
        var tables = Fold(2 * Hour, Registered(0, ("a", 1000)), Placed(0, 1, "x", ("a", 500, 0)), (Hour, new DeviceCordoned("a")));

        Assert.Equal([("x", 1m)], Gpu(tables));
        Assert.Equal((2m, 1m, 0m), Card(tables));
    }

    [Fact]
    public void A_pod_on_a_node_that_left_holds_memory_but_no_hours_of_a_card()
    {
        var tables = Fold(3 * Hour, Registered(0, ("a", 1000)), Placed(0, 1, "x", ("a", 1000, 0)), (Hour, new NodeRemoved(Node, "it left")), Released(3 * Hour, 1));

        Assert.Equal([("x", 1m)], Gpu(tables));
        Assert.Equal((1m, 0m, 0m), Card(tables));
        Assert.Equal(3000m / 1024, tables.Usage.Single().MemoryGiBHours);
    }

    [Fact]
    public void What_was_adopted_before_its_card_was_registered_has_its_hours_from_then_on()
    {
        var tables = Fold(2 * Hour, (0, Adopted(1, "x", [new(0, "main", false, "a", 250, 0)])), Registered(Hour, ("a", 1000)));

        Assert.Equal([("x", 0.25m)], Gpu(tables));
        Assert.Equal((1m, 0.75m, 0m), Card(tables));
    }

    [Fact]
    public void A_clock_that_went_back_takes_nothing_away()
    {
        var tables = Fold(2 * Hour, Registered(Hour, ("a", 1000)), Placed(0, 1, "x", ("a", 1000, 0)));

        Assert.Equal([("x", 1m)], Gpu(tables));
        Assert.Equal((1m, 0m, 0m), Card(tables));
    }

    private static Tables Fold(double until, params (double At, object Happened)[] events) => new Tables()
        .Fold(events.Aggregate(new LogOf(), (log, e) => log.At(e.At, Stream, e.Happened)).Events)
        .AccountedTo(LogOf.Start.AddSeconds(until));

    private static Guid Id(int number) => new(number, 0, 0, new byte[8]);

    private static (double, object) Registered(double at, params (string Uuid, long MemoryMiB)[] cards) =>
        (at, new DevicesRegistered(Node, [.. cards.Select(c => Given.Asks.Card(c.Uuid, memoryMiB: c.MemoryMiB))]));

    private static (double, object) Placed(double at, int number, string owner, params (string Uuid, long MemoryMiB, int Cores)[] parts) =>
        (at, Adopted(number, owner, [.. parts.Select(p => new Share(0, "main", false, p.Uuid, p.MemoryMiB, p.Cores))]));

    private static AllocationAdopted Adopted(int number, string owner, IReadOnlyList<Share> shares) =>
        new(Id(number), $"pod-{number}", "default", $"pod-{number}", Node, 2, shares, "found", true, new("Job", owner));

    private static (double, object) Released(double at, int number) => (at, new AllocationReleased(Id(number), $"pod-{number}", ReleaseReason.Completed));

    private static IEnumerable<(string Owner, decimal Hours)> Gpu(Tables tables) =>
        tables.Usage.GroupBy(u => u.OwnerName).Select(u => (u.Key, u.Sum(x => x.GpuHours)));

    private static (decimal Registered, decimal Idle, decimal Oversubscribed) Card(Tables tables) => (
        tables.CardDays.Sum(c => Hours.Of(c.RegisteredMicroseconds)), tables.CardDays.Sum(c => Hours.Of(c.IdleMicroseconds)),
        tables.CardDays.Sum(c => Hours.Of(c.OversubscribedMicroseconds)));

    private static long RegisteredMicroseconds(AnyLog log, DateTimeOffset until)
    {
        var (sum, cluster, before) = (0L, ClusterLedger.Empty, log.Events[0].At);
        foreach (var (_, at, stream, happened) in log.Events.Append((0, until, "", null!)))
        {
            sum += Microseconds(before, at) * cluster.Nodes.Values.Sum(n => n.Cards.Count);
            before = at;
            if (happened is not null)
                cluster = ClusterLedger.Evolve(cluster, stream, at, happened);
        }
        return sum;
    }

    private static long Microseconds(DateTimeOffset from, DateTimeOffset to) => (to - from).Ticks / TimeSpan.TicksPerMicrosecond;
}
