using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hami.Lab.Cluster;

/// <summary>Where a lab that is up can be found; kept in its directory as addresses.json.</summary>
internal sealed record LabState(int ProcessId, string Kubeconfig, string ApiServer, string GraphQL, string GraphiQL, string Logs, LabPorts Ports, int Nodes)
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Whether it has nodes with cards in MIG mode beside them.</summary>
    public bool Mig { get; init; }

    /// <summary>The control plane's root, under which GraphQL lies.</summary>
    [JsonIgnore]
    public Uri ControlPlane => new(new Uri(GraphQL), "/");

    public static LabState Of(LabCluster cluster) => new(
        Environment.ProcessId,
        cluster.Kubeconfig,
        cluster.ApiServer.ToString(),
        cluster.ControlPlane.GraphQL.ToString(),
        cluster.ControlPlane.GraphiQL.ToString(),
        cluster.Logs,
        cluster.Ports,
        cluster.Nodes.Count(node => !IsMig(node)) + cluster.HollowNodes.Count)
    {
        Mig = cluster.Nodes.Any(IsMig),
    };

    private static bool IsMig(LabNode node) => node.Cards.Any(card => card.MigProfiles is not null);

    /// <summary>What is written there; null when nothing, or nothing readable, is.</summary>
    public static LabState? Read(LabPaths paths)
    {
        try
        {
            return JsonSerializer.Deserialize<LabState>(File.ReadAllText(paths.Addresses), Format);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null;
        }
    }

    public void Write(LabPaths paths)
    {
        // Renamed into place: who waits for it never reads half of it.
        File.WriteAllText(paths.Addresses + ".new", ToJson());
        File.Move(paths.Addresses + ".new", paths.Addresses, overwrite: true);
    }

    public string ToJson() => JsonSerializer.Serialize(this, Format);
}
