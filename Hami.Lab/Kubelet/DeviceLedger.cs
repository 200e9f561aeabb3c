using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>Devices given to one container, and the plugin's answer that came with them.</summary>
internal sealed record DeviceGrant(
    string PodUid,
    string Container,
    string Resource,
    IReadOnlyList<string> DeviceIds,
    ContainerAllocateResponse Answer)
{
    /// <summary>Its entry in the checkpoint, once it was written.</summary>
    public WrittenGrant? Written { get; set; }
}

/// <summary>A checkpoint's entry as JSON, and the NUMA nodes, device by device, for which it is true; null for none.</summary>
internal sealed record WrittenGrant(long?[] NumaNodes, byte[] Text);

/// <summary>Which container holds which device ids: the kubelet's device manager without its plugins.</summary>
internal sealed class DeviceLedger
{
    private readonly Lock _gate = new();
    private readonly List<DeviceGrant> _grants = [];
    private readonly Dictionary<string, IReadOnlyList<DeviceGrant>> _byPod = new(StringComparer.Ordinal);

    // Ended pods whose grants are still written down: nothing is done when a pod ends, they go when devices are next asked for.
    private readonly HashSet<string> _ended = new(StringComparer.Ordinal);

    // Ids of run-to-completion init containers that later containers of the same pod take first.
    private readonly Dictionary<(string PodUid, string Resource), HashSet<string>> _reusable = [];

    /// <summary>Everything written down at this moment, in the order it was given; pods that ended since the last allocation are among it.</summary>
    public IReadOnlyList<DeviceGrant> Grants
    {
        get
        {
            lock (_gate)
                return [.. _grants];
        }
    }

    /// <summary>What a pod's containers hold; the same list as long as nothing of it changes.</summary>
    public IReadOnlyList<DeviceGrant> Of(string podUid)
    {
        lock (_gate)
            return _byPod.GetValueOrDefault(podUid, []);
    }

    public IReadOnlyList<DeviceGrant> Of(string podUid, string container) => [.. Of(podUid).Where(g => g.Container == container)];

    public IReadOnlySet<string> InUse(string resource)
    {
        lock (_gate)
            return _grants.Where(g => g.Resource == resource && !_ended.Contains(g.PodUid)).SelectMany(g => g.DeviceIds).ToHashSet(StringComparer.Ordinal);
    }

    public IReadOnlyList<string> Reusable(string podUid, string resource)
    {
        lock (_gate)
            return _reusable.TryGetValue((podUid, resource), out var ids) ? [.. ids.Order(StringComparer.Ordinal)] : [];
    }

    /// <summary>Writes down what a container was given; what a run-to-completion init container holds may be used again in its pod.</summary>
    public void Give(DeviceGrant grant, bool reusableLater)
    {
        lock (_gate)
        {
            if (_ended.Count > 0)
                _grants.RemoveAll(g => _ended.Contains(g.PodUid));
            _ended.Clear();
            Add(grant);
            var key = (grant.PodUid, grant.Resource);
            if (!_reusable.TryGetValue(key, out var ids))
                _reusable[key] = ids = new(StringComparer.Ordinal);
            if (reusableLater)
                ids.UnionWith(grant.DeviceIds);
            else
                ids.ExceptWith(grant.DeviceIds);
        }
    }

    /// <summary>Frees what a pod held: it is terminal, rejected or gone.</summary>
    public void Release(string podUid)
    {
        lock (_gate)
        {
            if (_byPod.Remove(podUid))
                _ended.Add(podUid);
            foreach (var key in _reusable.Keys.Where(k => k.PodUid == podUid).ToList())
                _reusable.Remove(key);
        }
    }

    /// <summary>Takes over what an earlier run of this kubelet had given.</summary>
    public void Restore(IEnumerable<DeviceGrant> grants)
    {
        lock (_gate)
        {
            foreach (var grant in grants)
                Add(grant);
        }
    }

    private void Add(DeviceGrant grant)
    {
        _grants.Add(grant);
        _byPod[grant.PodUid] = [.. _byPod.GetValueOrDefault(grant.PodUid, []), grant];
    }
}
