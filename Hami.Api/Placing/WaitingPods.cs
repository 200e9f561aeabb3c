using System.Collections.Concurrent;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>Pods that were refused and still wait, with the log position of their latest refusal; memory only.</summary>
internal sealed class WaitingPods
{
    private readonly ConcurrentDictionary<string, (PodAsk Ask, long Position)> _pods = new(StringComparer.Ordinal);

    public void Refused(PodAsk ask, long position) => _pods[ask.Uid] = (ask, position);

    public void Forget(string podUid) => _pods.TryRemove(podUid, out _);

    /// <summary>Pods last refused before <paramref name="position"/>.</summary>
    public IReadOnlyList<PodAsk> RefusedBefore(long position) => [.. _pods.Values.Where(p => p.Position < position).Select(p => p.Ask)];
}
