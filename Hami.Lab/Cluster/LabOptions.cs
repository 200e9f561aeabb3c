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
}
