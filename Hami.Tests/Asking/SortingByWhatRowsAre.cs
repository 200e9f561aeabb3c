using CsCheck;
using Hami.Api.Asking;
using Hami.Api.Placing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Hami.Tests.Given;

namespace Hami.Tests.Asking;

/// <summary>Orders that are of several values of a row, or of values that may be missing: right over all pages, each row once.</summary>
public sealed class SortingByWhatRowsAre
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);

    private static readonly string[] Words = ["CardInsufficientMemory", "CardInsufficientCore", "NumaNotFit"];

    private static readonly Gen<PendingPod> AnyPod = Gen.Select(
        Gen.Int[0, 12], Gen.Long[0, 3], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Bool, Gen.Select(Gen.Int[0, 2], Gen.Int[1, 12]).Array[0, 3],
        (count, memory, percent, cores, isKept, reasons) => (count, memory, percent, cores, isKept, reasons))
        .Select(Gen.Int[0, 3], Gen.Int[-1, 3], (pod, refused, created) => PendingPod.Of(
            new(
                new("", "default", "pod", "", [.. ReasonsOf(pod.reasons)], 1, pod.isKept ? Asks.Pod("pod", pod.count, pod.memory * 1000, pod.percent, pod.cores) : null), Noon.AddMinutes(refused)),
            ClusterLedger.Empty) with { CreatedAt = created < 0 ? null : Noon.AddMinutes(created) });

    private static readonly Gen<List<PendingPod>> AnyPods = AnyPod.List[0, 25].Select(pods => pods.Select((pod, i) => pod with { PodUid = $"uid-{i}" }).ToList());

    [Fact]
    public void Waiting_pods_are_sorted_by_the_cards_they_ask_for_then_by_memory_and_compute() => Holds<(int Cards, long MemoryMiB, int Percent, int Cores)?>(PendingSort.Asks, pod =>
    {
        if (pod.Ask?.Containers[0] is not { } each)
            return null;
        return (each.Count, each.Count * each.MemoryMiB, each.MemoryMiB > 0 ? 0 : each.Count * each.MemoryPercent, each.Count * each.Cores);
    });

    [Fact]
    public void Waiting_pods_are_sorted_by_the_reason_of_most_cards_then_by_how_many_have_it() => Holds(PendingSort.Reasons, pod =>
    {
        var most = pod.Reasons.OrderByDescending(r => r.Cards).ThenBy(r => r.Reason, StringComparer.Ordinal).ToList();
        return (Text: string.Join(' ', most.Select(r => r.Reason)), Cards: most.Count > 0 ? most[0].Cards : 0);
    },
    Comparer<(string Text, int Cards)>.Create((a, b) => string.CompareOrdinal(a.Text, b.Text) is not 0 and var order ? order : a.Cards.CompareTo(b.Cards)));

    [Fact]
    public void Waiting_pods_are_sorted_by_when_they_were_created_where_that_is_known() => Holds(PendingSort.Since, pod => pod.CreatedAt ?? pod.RefusedAt);

    [Theory]
    [InlineData(UsageSort.Namespace)]
    [InlineData(UsageSort.Owner)]
    [InlineData(UsageSort.Node)]
    [InlineData(UsageSort.Device)]
    public void Use_is_sorted_by_each_name_it_is_told_by(UsageSort sort) =>
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 2]).Array[0, 25].Select(Gen.Int[1, 7], Gen.Bool).Sample(given =>
        {
            var (names, size, descending) = given;
            List<UsageSum> rows = [.. names.Distinct().Select(n => new UsageSum(null, $"ns-{n.Item1}", n.Item2 == 0 ? "" : "Job", n.Item2 == 0 ? "" : $"job-{n.Item2}", $"n{n.Item3}", $"GPU-{n.Item4}", 0, 0, 0))];
            var seen = Walk(UsageSum.Orders[sort] with { Descending = descending }, size, rows);
            var by = seen.ConvertAll(u => sort switch { UsageSort.Namespace => u.Namespace!, UsageSort.Owner => u.OwnerName!, UsageSort.Node => u.Node!, _ => u.DeviceUuid! });
            return seen.Count == rows.Count && seen.Distinct().Count() == rows.Count
                && by.SequenceEqual(descending ? by.OrderDescending(StringComparer.Ordinal) : by.Order(StringComparer.Ordinal));
        });

    private static IEnumerable<RefusalCount> ReasonsOf((int Word, int Cards)[] reasons) => reasons.DistinctBy(r => r.Word).Select(r => new RefusalCount(Words[r.Word], r.Cards, []));

    private static void Holds<TKey>(PendingSort sort, Func<PendingPod, TKey> key, IComparer<TKey>? by = null) => Gen.Select(AnyPods, Gen.Int[1, 7], Gen.Bool).Sample((pods, size, descending) =>
    {
        var known = pods.Where(p => key(p) is not null);
        var unknown = pods.Where(p => key(p) is null);
        var expected = descending
            ? known.OrderByDescending(key, by).ThenByDescending(p => p.PodUid, StringComparer.Ordinal).Concat(unknown.OrderByDescending(p => p.PodUid, StringComparer.Ordinal))
            : known.OrderBy(key, by).ThenBy(p => p.PodUid, StringComparer.Ordinal).Concat(unknown.OrderBy(p => p.PodUid, StringComparer.Ordinal));
        return Walk(PendingPod.Orders[sort] with { Descending = descending }, size, pods).Select(p => p.PodUid).SequenceEqual(expected.Select(p => p.PodUid));
    });

    private static List<T> Walk<T>(Order<T> order, int size, List<T> rows)
    {
        var seen = new List<T>();
        for (string? after = null; ;)
        {
            var page = Page<T>.Of(size, after, order).Of(rows);
            seen.AddRange(page.Items);
            if (!page.PageInfo.HasNextPage)
                return seen;
            after = page.PageInfo.EndCursor;
        }
    }
}
