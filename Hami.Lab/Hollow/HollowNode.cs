using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.Lab.Cluster;
using Hami.Lab.Kubelet;
using Hami.Lab.Scheduler;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Hollow;

/// <summary>One hollow node: its cards' replicas and who holds them, counted as a real kubelet counts.</summary>
internal sealed class HollowNode : IDeviceSource
{
    /// <summary>What every hollow node offers beside devices.</summary>
    public static readonly IReadOnlyDictionary<string, ResourceQuantity> Allocatable = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal)
    {
        ["cpu"] = new("128"),
        ["memory"] = new("1Ti"),
        ["ephemeral-storage"] = new("1Ti"),
        ["pods"] = new($"{HasPods}"),
    };

    private const int HasPods = 110;
    private static readonly Amounts Has = Amounts.Of(Allocatable.ToDictionary(StringComparer.Ordinal));

    // The answer would tell a process what to mount; there is none.
    private static readonly ContainerAllocateResponse Nothing = new();
    private readonly string[] _replicas;
    private readonly DeviceLedger _ledger = new();
    private readonly Admission _admission;

    // What each admitted pod asks beside devices.
    private readonly Dictionary<string, Amounts> _asked = new(StringComparer.Ordinal);
    private readonly Amounts _taken = new();
    private readonly Lock _gate = new();
    private SeenPod? _pod;

    public HollowNode(LabNode node, int splitCount, int seed)
    {
        Node = node;
        _replicas = [.. node.Cards.SelectMany(card => Enumerable.Range(0, card.MigProfiles?.Max(profile => profile.Placements.Count) ?? splitCount).Select(k => $"{card.Uuid}-{k}"))];
        _admission = new(this, _ledger, new Random(seed), static () => { });
    }

    public LabNode Node { get; }

    public int Devices => _replicas.Length;

    /// <summary>Device ids in use.</summary>
    public int InUse => _ledger.InUse(SeenPod.Resource).Count;

    /// <summary>Takes the pod's devices, or throws <see cref="AdmissionException"/> with what the pod's user reads; one pod at a time.</summary>
    public async Task Admit(SeenPod pod, CancellationToken cancellationToken)
    {
        _pod = pod;
        await _admission.Admit(pod.Asks, cancellationToken);
        lock (_gate)
        {
            try
            {
                NodeFit.Room(pod.Requests, _taken, _asked.Count, Has, HasPods);
                _asked.Add(pod.Asks.Uid, pod.Requests);
                _taken.Add(pod.Requests);
            }
            catch (AdmissionException)
            {
                _ledger.Release(pod.Asks.Uid);
                throw;
            }
        }
    }

    public void Release(string podUid)
    {
        _ledger.Release(podUid);
        lock (_gate)
        {
            if (_asked.Remove(podUid, out var asked))
                _taken.Add(asked, times: -1);
        }
    }

    bool IDeviceSource.Knows(string resource) => resource == SeenPod.Resource;

    IReadOnlyList<string> IDeviceSource.Healthy(string resource) => _replicas;

    // Replicas of the cards that the scheduler chose, as the agent prefers them.
    Task<IReadOnlyList<string>> IDeviceSource.Prefer(
        DeviceAsk ask, IReadOnlyList<string> available, IReadOnlyList<string> mustInclude, CancellationToken cancellationToken)
    {
        var free = available.Except(mustInclude, StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        var chosen = new List<string>();
        foreach (var card in Shares(ask).Select(s => s.Uuid))
        {
            if (free.FindIndex(id => id.StartsWith(card, StringComparison.Ordinal) && id.LastIndexOf('-') == card.Length) is >= 0 and var at)
            {
                chosen.Add(free[at]);
                free.RemoveAt(at);
            }
        }
        return Task.FromResult<IReadOnlyList<string>>(chosen);
    }

    // What the agent refuses, in its words.
    Task<ContainerAllocateResponse> IDeviceSource.Allocate(DeviceAsk ask, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        if (_pod?.Fault is { } fault)
            throw Refused(fault);
        if (Shares(ask).FirstOrDefault(s => Node.Cards.All(c => c.Uuid != s.Uuid)) is { } foreign)
            throw Refused($"Container {ask.Container.Name} was given the card {foreign.Uuid}, which node {Node.Name} no longer has; create the pod again.");
        return Task.FromResult(Nothing);
    }

    private IReadOnlyList<ListedDevice> Shares(DeviceAsk ask) => _pod?.Shares?[ask.Pod.Containers.Index().First(c => c.Item == ask.Container).Index] ?? [];

    private static AdmissionException Refused(string sentence)
    {
        var error = new RpcException(new(StatusCode.Internal, sentence));
        return Admission.Unexpected(Words.Of(error), error);
    }
}
