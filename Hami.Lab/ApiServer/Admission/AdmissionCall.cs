using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One write as admission sees it. <see cref="Object"/> is replaced when a mutating webhook patches it.</summary>
internal sealed class AdmissionCall(Resource resource, string subresource, string operation, string @namespace, string name, JsonObject options, bool dryRun)
{
    public Resource Resource { get; } = resource;

    public string Subresource { get; } = subresource;

    public string Operation { get; } = operation;

    public string Namespace { get; } = @namespace;

    public string Name { get; } = name;

    public JsonObject Options { get; } = options;

    public bool DryRun { get; } = dryRun;

    public Caller Caller { get; } = Caller.Current;

    /// <summary>The kind inside: not the resource's own for subresources such as pods/binding.</summary>
    public string Kind { get; init; } = resource.Kind;

    public JsonObject? Object { get; set; }

    public JsonObject? OldObject { get; init; }

    /// <summary>What webhooks asked to tell the client, as <c>Warning</c> headers.</summary>
    public List<string> Warnings { get; } = [];
}
