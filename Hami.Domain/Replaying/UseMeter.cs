using Hami.Domain.Ledger;

namespace Hami.Domain.Replaying;

/// <summary>How much of all cards is allocated, over time.</summary>
internal sealed class UseMeter(DateTimeOffset from)
{
    private DateTimeOffset _at = from;
    private double _memory, _memoryOf, _cores, _coresOf;

    /// <summary>The state was the same up to that time.</summary>
    public void Until(DateTimeOffset at, ClusterLedger cluster)
    {
        var seconds = (at - _at).TotalSeconds;
        if (seconds <= 0)
            return;
        _at = at;
        foreach (var use in cluster.Used.Values)
        {
            _memory += seconds * use.MemoryMiB;
            _cores += seconds * use.Cores;
        }
        foreach (var card in cluster.Nodes.Values.SelectMany(n => n.Cards))
        {
            _memoryOf += seconds * card.MemoryMiB;
            _coresOf += seconds * card.Cores;
        }
    }

    public PolicyOutcome Outcome(string rules, int arrivals, int refused, IReadOnlyCollection<double> waits) => new(
        rules, arrivals, refused, arrivals - waits.Count, Rounded(waits.DefaultIfEmpty().Average()), Rounded(waits.DefaultIfEmpty().Max()),
        Percent(_memory, _memoryOf), Percent(_cores, _coresOf));

    private static double Percent(double part, double whole) => whole > 0 ? Rounded(100 * part / whole) : 0;

    private static double Rounded(double value) => Math.Round(value, 2);
}
