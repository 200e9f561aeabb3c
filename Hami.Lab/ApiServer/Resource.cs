namespace Hami.Lab.ApiServer;

/// <summary>One kind of object the server keeps: its names, its shape and the rules it obeys.</summary>
internal sealed record Resource(string Group, string Version, string Plural, string Kind, Type Model)
{
    public bool Namespaced { get; init; } = true;

    public string[] ShortNames { get; init; } = [];

    public string[] Categories { get; init; } = [];

    /// <summary>Whether <c>/status</c> is a resource of its own.</summary>
    public bool HasStatus { get; init; }

    /// <summary>Whether a write to <c>/status</c> may also change labels and annotations (pods, nodes and workloads, whose controllers count revisions there).</summary>
    public bool StatusCarriesMetadata { get; init; }

    /// <summary>Whether <c>metadata.generation</c> counts the changes of the spec.</summary>
    public bool CountsGenerations { get; init; }

    /// <summary>Whether PUT without a resourceVersion overwrites whatever is there.</summary>
    public bool UnconditionalUpdate { get; init; } = true;

    /// <summary>Whether DELETE answers with the object instead of a Status.</summary>
    public bool AnswersDeleted { get; init; }

    /// <summary>What can be done to it.</summary>
    public string[] Verbs { get; init; } = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

    /// <summary>Subresources besides status, for discovery only.</summary>
    public Subresource[] Subresources { get; init; } = [];

    public ResourceRules Rules { get; init; } = new();

    public Table Table { get; init; } = Table.NameAndAge;

    /// <summary>Another version that keeps the same objects; its shape is the stored one.</summary>
    public Resource? StoredAs { get; init; }

    public Resource Storage => StoredAs ?? this;

    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    public string Singular => Kind.ToLowerInvariant();

    /// <summary><c>pods</c>, <c>leases.coordination.k8s.io</c>: the name error messages use.</summary>
    public string Qualified => QualifiedWith("");

    public Shape Shape => Shape.Of(Model);

    public string QualifiedWith(string subresource) =>
        (subresource.Length > 0 ? $"{Plural}/{subresource}" : Plural) + (Group.Length > 0 ? $".{Group}" : "");

    public string StorageKey(string? @namespace, string name) =>
        string.IsNullOrEmpty(@namespace) ? $"{Plural}/{name}" : $"{Plural}/{@namespace}/{name}";
}

/// <summary>A subresource as discovery lists it.</summary>
internal sealed record Subresource(string Name, string Group, string Version, string Kind, params string[] Verbs);
