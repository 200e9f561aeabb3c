using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>How the API server's objects are read and written: by code made at compile time, as native code cannot look at types.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PodList))]
[JsonSerializable(typeof(Node))]
[JsonSerializable(typeof(Event))]
[JsonSerializable(typeof(MergePatch))]
[JsonSerializable(typeof(Refusal))]
internal sealed partial class ClusterJson : JsonSerializerContext;

/// <summary>What the API server answers instead of an object when it refuses: a Status.</summary>
internal sealed record Refusal(string? Message, int? Code);
