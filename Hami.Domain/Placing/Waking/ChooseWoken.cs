using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Waking;

/// <summary>Which of the pods that were refused are worth another try, when several want the same room?</summary>
public static class ChooseWoken
{
    /// <summary>As many as fit beside each other, the first come first.</summary>
    /// <param name="coming">Woken before and not back yet: they take their room first.</param>
    /// <param name="waiting">In the order they came.</param>
    /// <param name="termsOf">What placement in a namespace depends on.</param>
    /// <param name="most">At most so many.</param>
    public static IReadOnlyList<PodAsk> Of(
        IReadOnlyList<PodAsk> coming, IReadOnlyList<PodAsk> waiting, IReadOnlyList<NodeUse> nodes, Func<string, Terms> termsOf, int most)
    {
        var scratch = new Scratch(nodes, termsOf);
        foreach (var ask in coming)
            scratch.Place(ask);
        var woken = new List<PodAsk>();
        for (var i = 0; i < waiting.Count && woken.Count < most; i++)
        {
            if (scratch.Place(waiting[i]))
                woken.Add(waiting[i]);
        }
        return woken;
    }

    /// <summary>The cluster as it would be with the pods placed so far.</summary>
    private sealed class Scratch(IReadOnlyList<NodeUse> nodes, Func<string, Terms> termsOf)
    {
        private readonly List<NodeUse> _nodes = [.. nodes];
        private readonly Dictionary<string, Terms> _terms = new(StringComparer.Ordinal);

        // Room only shrinks here: what did not fit once is not tried again.
        private readonly HashSet<(string Namespace, int Shape)> _hopeless = [];

        public bool Place(PodAsk ask)
        {
            var terms = TermsOf(ask.Namespace);
            var kind = (terms.Quota.IsUnlimited ? "" : ask.Namespace, Shape: terms.Typical.Shape(ask));
            if (kind.Shape >= 0 && _hopeless.Contains(kind))
                return false;
            if (NodeChoice.Among(ask, _nodes, terms).Best is not { } best)
            {
                _hopeless.Add(kind);
                return false;
            }
            _nodes[_nodes.IndexOf(best.Node)] = best.Node.With(best.Shares);
            if (!terms.Quota.IsUnlimited)
                _terms[ask.Namespace] = terms with { Quota = terms.Quota - CardUse.Sum(best.Shares) };
            return true;
        }

        private Terms TermsOf(string @namespace) =>
            _terms.TryGetValue(@namespace, out var terms) ? terms : _terms[@namespace] = termsOf(@namespace);
    }
}
