using System.Collections.Immutable;

namespace Hami.NodeAgent.Allocating;

/// <summary>One answer of Allocate.</summary>
internal sealed record HandOut(string PodUid, string Container, IReadOnlySet<string> DeviceIds);

/// <summary>What this process has answered so far; after a restart of the agent the kubelet's checkpoint stands in for it.</summary>
internal sealed class HandedOut
{
    private ImmutableDictionary<(string PodUid, string Container), HandOut> answers =
        ImmutableDictionary<(string, string), HandOut>.Empty;
    private ImmutableHashSet<string> refused = [];

    public void Add(string podUid, string container, IEnumerable<string> ids) => ImmutableInterlocked.AddOrUpdate(
        ref answers, (podUid, container), new HandOut(podUid, container, ids.ToHashSet(StringComparer.Ordinal)), (_, _) =>
            new HandOut(podUid, container, ids.ToHashSet(StringComparer.Ordinal)));

    public bool Has(string podUid, string container) => answers.ContainsKey((podUid, container));

    public IReadOnlyList<HandOut> With(IReadOnlySet<string> ids) => [.. answers.Values.Where(h => h.DeviceIds.SetEquals(ids))];

    /// <summary>The kubelet rejects a refused pod for good, though the API server may tell it as pending for seconds.</summary>
    public void Refuse(string podUid) => ImmutableInterlocked.Update(ref refused, (set, uid) => set.Add(uid), podUid);

    /// <summary>The pods that were refused; the same set as long as nothing changes.</summary>
    public IImmutableSet<string> Refused => refused;

    public void Forget(string podUid)
    {
        ImmutableInterlocked.Update(ref refused, (set, uid) => set.Remove(uid), podUid);
        ImmutableInterlocked.Update(ref answers, (map, uid) => map.RemoveRange(map.Keys.Where(k => k.PodUid == uid)), podUid);
    }

    /// <summary>A kubelet that restarts asks again for every container that its checkpoint lacks.</summary>
    public void KeepOnly(IReadOnlyList<CheckpointEntry> confirmed)
    {
        var known = confirmed.Select(e => (e.PodUid, e.Container)).ToHashSet();
        ImmutableInterlocked.Update(ref answers, map => map.RemoveRange(map.Keys.Where(k => !known.Contains(k))));
    }
}
