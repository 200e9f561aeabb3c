namespace Hami.NodeAgent.Observing;

/// <summary>A container that shares cards with others.</summary>
/// <param name="Recent">The region's <c>recent_kernel</c>: 2 since it last sent work, counted down here; negative while it is blocked.</param>
/// <param name="Switch">The region's <c>utilization_switch</c>.</param>
/// <param name="SeenAtWork">The driver saw it at work: for those whose library does not always say.</param>
internal readonly record struct Turn(int Priority, int Recent, int Switch, IReadOnlyList<string> Cards, bool SeenAtWork = false)
{
    public TurnWords Words => new(Recent, Switch);
}

/// <summary>The two words that a monitor writes into a region.</summary>
internal readonly record struct TurnWords(int Recent, int Switch);

/// <summary>Who may send work: as HAMi, a container waits while another with a smaller number is at work on one of its cards, and shares of compute are held while there is a rival.</summary>
internal static class Turns
{
    // What a launch writes. More would make a container that is at rest block others for as long as it likes.
    private const int JustLaunched = 2;
    private const int Blocked = -1;

    /// <summary>What is to stand in each container's region, in their order.</summary>
    public static TurnWords[] Next(IReadOnlyList<Turn> containers)
    {
        var recent = containers.Select(c => c.Recent > 0 ? Math.Min(c.Recent, JustLaunched) - 1 : c.Recent).ToArray();
        var active = new Dictionary<(string Card, int Priority), int>();
        for (var i = 0; i < recent.Length; i++)
            if ((recent[i] > 0 || containers[i].SeenAtWork) && containers[i].Priority >= 0)
                foreach (var card in containers[i].Cards)
                    active[(card, containers[i].Priority)] = active.GetValueOrDefault((card, containers[i].Priority)) + 1;
        var next = new TurnWords[recent.Length];
        for (var i = 0; i < next.Length; i++)
        {
            var (priority, cards) = (containers[i].Priority, containers[i].Cards);
            var blocked = active.Keys.Any(a => a.Priority < priority && cards.Contains(a.Card));
            var contended = blocked || cards.Any(card => active.GetValueOrDefault((card, priority)) > 1);
            next[i] = new(blocked ? Math.Min(recent[i], Blocked) : Math.Max(recent[i], 0), contended ? 1 : 0);
        }
        return next;
    }
}
