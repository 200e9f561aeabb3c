using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace Hami.Tests.Given;

/// <summary>What a real Kubernetes 1.36 sent, one JSON object a line, in a file beside the test of the same name; without managedFields.</summary>
internal static class Recordings
{
    public static JsonObject[] Beside([CallerFilePath] string test = "") =>
        [.. File.ReadLines(Path.ChangeExtension(test, ".jsonl")).Select(line => JsonNode.Parse(line)!.AsObject())];
}
