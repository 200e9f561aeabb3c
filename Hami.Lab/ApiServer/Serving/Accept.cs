namespace Hami.Lab.ApiServer;

/// <summary>In what form a client wants its answer, of those the server can give: the best range of its Accept header.</summary>
/// <param name="As">How objects are shown: whole (empty), as rows of a <c>Table</c>, or their metadata only (<c>Partial</c>).</param>
internal sealed record Accept(bool Yaml, string As)
{
    public const string YamlType = "application/yaml";

    private static readonly Accept PlainJson = new(Yaml: false, "");

    /// <summary>Throws 406 when nothing the client takes is there; a watch is never YAML.</summary>
    public static Accept Of(HttpContext http, bool watch = false)
    {
        return Try(http, watch) ?? throw new KubernetesError(406, "NotAcceptable", "only the following media types are accepted: " + (watch
            ? "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
            : "application/json, application/yaml, application/vnd.kubernetes.protobuf"));
    }

    public static Accept? Try(HttpContext http, bool watch = false)
    {
        var header = http.Request.Headers.Accept.ToString();
        return header.Length == 0
            ? PlainJson
            : header.Split(',').Select(Range.Parse).OrderByDescending(r => r.Weight).Select(r => r.Form(watch)).FirstOrDefault(f => f is not null);
    }

    private sealed record Range(string Type, string As, string Version, double Weight)
    {
        public static Range Parse(string text)
        {
            var parts = text.Split(';', StringSplitOptions.TrimEntries);
            string Parameter(string name) => Array.Find(parts, p => p.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..] ?? "";
            return new(parts[0].ToLowerInvariant(), Parameter("as"), Parameter("v"), double.TryParse(Parameter("q"), out var weight) ? weight : 1);
        }

        public Accept? Form(bool watch)
        {
            var yaml = Type is YamlType && !watch;
            if (!yaml && Type is not ("application/json" or "application/*" or "*/*"))
                return null;
            return As switch
            {
                "" => new(yaml, ""),
                "Table" when Version is "v1" or "v1beta1" => new(yaml, "Table"),
                "PartialObjectMetadata" or "PartialObjectMetadataList" when Version is "v1" or "v1beta1" => new(yaml, "Partial"),
                _ => null,
            };
        }
    }
}
