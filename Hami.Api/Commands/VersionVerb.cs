using System.CommandLine;
using System.Text.Json;
using Hami.Api.Plumbing;

namespace Hami.Api.Commands;

/// <summary><c>hami-api version</c>: which build this is.</summary>
internal static class VersionVerb
{
    public static Command Command()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var command = new Command("version", "Print which build this is.") { json };
        command.SetAction(parsed =>
        {
            Console.WriteLine(parsed.GetValue(json) ? Json(BuildFacts.Here) : Text(BuildFacts.Here));
            return 0;
        });
        return command;
    }

    private static string Text(BuildFacts build) =>
        $"""
        Version:    {build.Version}
        Revision:   {build.Revision}
        Build date: {build.BuildDate}
        Runtime:    {build.Runtime}
        Compiler:   {build.Compiler}
        Platform:   {build.Platform}
        """;

    private static string Json(BuildFacts build) => JsonSerializer.Serialize(build, JsonSerializerOptions.Web);
}
