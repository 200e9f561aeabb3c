using System.Text;
using System.Text.Json;
using Hami.Domain.Ledger;
using Marten;
using Marten.Services.Json.Transformations.SystemTextJson;

namespace Hami.Api.Plumbing;

/// <summary>An event of the log that this program cannot read; it is never passed over.</summary>
/// <param name="why">What is wrong with it.</param>
internal sealed class UnreadableEventException(long position, string why, Exception inner) : FormatException($"event {position} of the log cannot be read: {why}", inner)
{
    /// <summary>What is wrong with it, where the position is said already.</summary>
    public string Why => why;
}

/// <summary>Which event stands under which name in the log, and how one whose meaning has changed is read: as today's event.</summary>
/// <remarks>
/// The one table for everybody who reads: Marten, and <see cref="Replaying.StoredEvents"/>. When the meaning of an event changes, its type is
/// stored under a new name from then on (<c>allocation_placed_v2</c>), and the old name moves to the lifted ones. What is stored stays as it
/// is, and hashes are over that.
/// </remarks>
internal sealed class EventTypes
{
    /// <summary>Those of this program. No event has changed its meaning yet.</summary>
    public static readonly EventTypes Today = new(
        new(StringComparer.Ordinal)
        {
            ["devices_registered"] = typeof(NodeEvent.DevicesRegistered),
            ["node_removed"] = typeof(NodeEvent.NodeRemoved),
            ["device_cordoned"] = typeof(NodeEvent.DeviceCordoned),
            ["device_uncordoned"] = typeof(NodeEvent.DeviceUncordoned),
            ["allocation_placed"] = typeof(NodeEvent.AllocationPlaced),
            ["allocation_adopted"] = typeof(NodeEvent.AllocationAdopted),
            ["allocation_bound"] = typeof(NodeEvent.AllocationBound),
            ["allocation_attached"] = typeof(NodeEvent.AllocationAttached),
            ["allocation_shrunk"] = typeof(NodeEvent.AllocationShrunk),
            ["allocation_released"] = typeof(NodeEvent.AllocationReleased),
            ["node_carried_forward"] = typeof(NodeEvent.NodeCarriedForward),
            ["placement_refused"] = typeof(PodEvent.PlacementRefused),
            ["workload_withdrawn"] = typeof(PodEvent.WorkloadWithdrawn),
            ["preemption_planned"] = typeof(PodEvent.PreemptionPlanned),
            ["quota_changed"] = typeof(QuotaEvent.QuotaChanged),
            ["policy_changed"] = typeof(PolicyEvent.PolicyChanged),
            ["workload_mix_learned"] = typeof(PolicyEvent.WorkloadMixLearned),
        },
        new(StringComparer.Ordinal));

    private readonly Dictionary<string, Type> _types;
    private readonly Dictionary<string, LiftedEvent> _lifted;
    private readonly Dictionary<Type, string> _names;

    private EventTypes(Dictionary<string, Type> types, Dictionary<string, LiftedEvent> lifted) =>
        (_types, _lifted, _names) = (types, lifted, types.ToDictionary(t => t.Value, t => t.Key));

    /// <summary>With one more name of an earlier meaning.</summary>
    /// <param name="name">What it was stored under.</param>
    /// <param name="lift">Makes today's event of the stored body.</param>
    public EventTypes With<T>(string name, Func<JsonElement, T> lift) where T : class => new(
        _types, new(_lifted, StringComparer.Ordinal) { [name] = new(body => lift(body), options => options.Events.Upcast<T>(name, JsonTransformations.Upcast<T>(json => lift(json.RootElement)))) });

    /// <summary>What events of a type are stored under from now on.</summary>
    public string NameOf(Type type) => _names[type];

    /// <summary>What is said of a name that stands for no event.</summary>
    public static string Unknown(string name) => $"no event is stored under the name {name}";

    /// <summary>Teaches Marten to write and read them.</summary>
    public void Name(StoreOptions options)
    {
        foreach (var (name, type) in _types)
            options.Events.MapEventType(type, name);
        foreach (var lifted in _lifted.Values)
            lifted.Name(options);
    }

    /// <summary>Reads what is stored.</summary>
    /// <exception cref="FormatException">No event is stored under the name, or the body is none.</exception>
    public object Read(string name, string body, ISerializer serializer)
    {
        try
        {
            if (_lifted.TryGetValue(name, out var lifted))
            {
                using var json = JsonDocument.Parse(body);
                return lifted.Lift(json.RootElement);
            }
            if (!_types.TryGetValue(name, out var type))
                throw new FormatException(Unknown(name));
            using var bytes = new MemoryStream(Encoding.UTF8.GetBytes(body));
            return serializer.FromJson(type, bytes);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"its body is no {name}: {e.Message}", e);
        }
    }

    private sealed record LiftedEvent(Func<JsonElement, object> Lift, Action<StoreOptions> Name);
}
