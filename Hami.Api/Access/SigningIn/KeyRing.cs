using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Npgsql;

namespace Hami.Api.Access.SigningIn;

/// <summary>The keys that a sign-in under way is protected with, in PostgreSQL: the same for all replicas, and after a restart.</summary>
/// <remarks>Read at the start and once a day. They protect what a browser carries to the provider and back, no token.</remarks>
internal sealed class KeyRing(NpgsqlDataSource database) : IXmlRepository
{
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        SignInTables.Ensure(database);
        using var command = database.CreateCommand($"select xml from {SignInTables.Keys} order by at");
        using var rows = command.ExecuteReader();
        var elements = new List<XElement>();
        while (rows.Read())
            elements.Add(XElement.Parse(rows.GetString(0)));
        return elements;
    }

    public void StoreElement(XElement element, string friendlyName) =>
        SignInTables.Add(database, friendlyName, element.ToString(SaveOptions.DisableFormatting), isKey: friendlyName.StartsWith("key-", StringComparison.Ordinal));
}
