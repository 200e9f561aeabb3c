using System.CommandLine;

namespace Hami.Lab.Cluster;

/// <summary>Options that several verbs share.</summary>
internal static class LabOptions
{
    public static Option<string> DirectoryOption() => new("--directory")
    {
        Description = "Where the lab keeps its data.",
        DefaultValueFactory = _ => Path.Combine(BuiltPrograms.Root, ".hami"),
    };

    public static Option<bool> JsonOption() => new("--json") { Description = "Print one JSON document on stdout and nothing else there." };

    /// <summary>How many nodes a lab has; null for as many as last time.</summary>
    public static Option<int?> NodesOption()
    {
        var nodes = new Option<int?>("--nodes")
        {
            Description = $"How many nodes; as many as last time, or {LabNode.Three.Count}, when not given. The first {LabNode.Three.Count} have agents and run processes, the others are hollow: their pods only say that they run.",
        };
        nodes.Validators.Add(parsed =>
        {
            if (parsed.GetValue(nodes) is { } count && (count < LabNode.Three.Count || count > MostNodes))
                parsed.AddError($"--nodes {count}: a lab has {LabNode.Three.Count} to {MostNodes} nodes.");
        });
        return nodes;
    }

    /// <summary>Whether there are nodes with cards in MIG mode, too.</summary>
    public static Option<bool> MigOption() => new("--mig")
    {
        Description = $"Also {LabNode.WithMigCards.Count} nodes ({string.Join(", ", LabNode.WithMigCards.Select(node => node.Name))}) whose cards are in MIG mode; kept until `./hami down --purge`. Pods that name no mode may be given instances there.",
    };

    private const int MostNodes = 5000;
}
